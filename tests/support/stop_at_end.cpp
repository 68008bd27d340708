// Preloaded into a rank: stops its process when it has met all others for the last time.
#include <mpi.h>
#include <signal.h>

int MPI_Finalize() {
  ::raise(SIGSTOP);
  return PMPI_Finalize();
}
