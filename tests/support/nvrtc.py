"""NVIDIA's compiler of kernels, from the tests' virtual environment."""

import ctypes

from test_venv import PYTHON

FILE = "lib/python*/site-packages/nvidia/cu13/lib/libnvrtc.so.13"


def library():
    found = sorted(PYTHON.parents[1].glob(FILE))
    assert found, f"no {FILE} in {PYTHON.parents[1]}: run launcher/lockstep install test"
    return ctypes.CDLL(str(found[0]))


def text(nvrtc, program, what):
    """The bytes that nvrtcGet<what> gives."""
    size = ctypes.c_size_t()
    assert getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size)) == 0
    content = ctypes.create_string_buffer(size.value)
    assert getattr(nvrtc, f"nvrtcGet{what}")(program, content) == 0
    return content.raw[:size.value]


def c_strings(texts):
    return (ctypes.c_char_p * len(texts))(*[each.encode() for each in texts])


def compile_kernels(source, headers, options):
    """(log, PTX, machine code), the last two None where `source`, a (name, text), does not
    compile. `headers` are texts by the names by which they are included."""
    nvrtc = library()
    program = ctypes.c_void_p()
    name, code = source
    assert nvrtc.nvrtcCreateProgram(
        ctypes.byref(program), code.encode(), name.encode(), len(headers),
        c_strings(list(headers.values())), c_strings(list(headers))) == 0
    try:
        status = nvrtc.nvrtcCompileProgram(program, len(options), c_strings(options))
        log = text(nvrtc, program, "ProgramLog").rstrip(b"\0").decode()
        if status != 0:
            return log, None, None
        return log, text(nvrtc, program, "PTX").decode(), text(nvrtc, program, "CUBIN")
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
