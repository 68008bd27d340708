"""Writes archives into a folder by Python's tarfile and zipfile, for tests/data/archive_test.cpp,
which knows their members by the same formulas."""

import gzip
import io
import random
import sys
import tarfile
import zipfile
from pathlib import Path

MEMBERS = 61
LONG = "long" * 40


def content(i):
    return bytes((31 * i + 7 * k) % 251 for k in range(13 * i % 300))


def name(i):
    part = ("train", "größe", LONG)[i % 3]
    return f"{part}/{i % 7}/{i:04}.bin"


def tar_entry(path, data=b"", kind=tarfile.REGTYPE, link=""):
    entry = tarfile.TarInfo(path)
    entry.size = len(data)
    entry.type = kind
    entry.linkname = link
    return entry


def write_tar(path, mode, form, prefix=""):
    with tarfile.open(path, mode, format=form) as archive:
        def add(member, data):
            archive.addfile(tar_entry(member, data), io.BytesIO(data))

        archive.addfile(tar_entry(prefix + "train", kind=tarfile.DIRTYPE))
        for i in range(MEMBERS):
            add(prefix + name(i), content(i))
            if i % 10 == 0:
                add(prefix + f"train/._{i}.bin", b"not counted")
                add(prefix + f"__MACOSX/train/{i}.bin", b"not counted")
                add(prefix + f".hidden/{i}.bin", b"not counted")


def write_zip(path, method):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("train/", b"")
        for i in range(MEMBERS):
            archive.writestr(name(i), content(i))
            if i % 10 == 0:
                archive.writestr(f"__MACOSX/train/._{i}.bin", b"not counted")


def write_bad(folder):
    for file, entry in {
        "symbolic.tar": tar_entry("a/b.png", kind=tarfile.SYMTYPE, link="c.png"),
        "hard.tar": tar_entry("a/b.png", kind=tarfile.LNKTYPE, link="a/a.png"),
        "device.tar": tar_entry("a/b.png", kind=tarfile.CHRTYPE),
        "pipe.tar": tar_entry("a/b.png", kind=tarfile.FIFOTYPE),
        "absolute.tar": tar_entry("/a/b.png"),
        "climbs.tar": tar_entry("a/../../b.png"),
    }.items():
        with tarfile.open(folder / file, "w") as archive:
            archive.addfile(tar_entry("a/a.png", b"x"), io.BytesIO(b"x"))
            archive.addfile(entry)
    with tarfile.open(folder / "twice.tar", "w") as archive:
        for data in (b"x", b"yy"):
            archive.addfile(tar_entry("a/a.png", data), io.BytesIO(data))
    # Headers that promise more than there is.
    for file, size in {"lies.tar": 100 << 20, "too_large.tar": 200 << 20}.items():
        entry = tar_entry("a/a.png")
        entry.size = size
        (folder / file).write_bytes(entry.tobuf(tarfile.GNU_FORMAT) + bytes(20480))
    with zipfile.ZipFile(folder / "lies.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", random.Random(1).randbytes(300_000))
    lie = bytearray((folder / "lies.zip").read_bytes())
    size = lie.index(b"PK\1\2") + 24
    lie[size:size + 4] = (250 << 20).to_bytes(4, "little")
    (folder / "lies.zip").write_bytes(lie)
    (folder / "empty.tar").write_bytes(bytes(10240))


def main():
    folder = Path(sys.argv[1])
    write_tar(folder / "ustar.tar", "w", tarfile.GNU_FORMAT, "./")
    write_tar(folder / "pax.tar", "w", tarfile.PAX_FORMAT)
    write_tar(folder / "packed.tar.gz", "w:gz", tarfile.GNU_FORMAT)
    write_tar(folder / "packed.tgz", "w:gz", tarfile.PAX_FORMAT)
    write_tar(folder / "packed.tar.bz2", "w:bz2", tarfile.PAX_FORMAT)
    write_tar(folder / "packed.tar.xz", "w:xz", tarfile.GNU_FORMAT, "./")
    write_zip(folder / "deflated.zip", zipfile.ZIP_DEFLATED)
    write_zip(folder / "stored.zip", zipfile.ZIP_STORED)
    write_bad(folder)
    (folder / "text.csv.gz").write_bytes(gzip.compress(b"label,pixel0\n1,2\n" * 100))


if __name__ == "__main__":
    main()
