# The shared memfd of a service, and how to read its histograms.

def histogram_bound_us(cell):
    """Exclusive upper bound of a histogram's cell, in microseconds; the last cell has none (its bound is nominal)."""
    if not 0 <= cell < HISTOGRAM_CELLS_C:
        raise IndexError(cell)
    return histogram_bound(cell)


def shm_create():
    """Create the service's shared memfd, sized for the largest service (sparse: untouched pages cost nothing).

    OSError when the kernel refuses. The descriptor is close-on-exec and the caller's to close.
    """
    cdef int fd = memfd_create(b"fastlb-shared", MFD_CLOEXEC | MFD_ALLOW_SEALING)
    if fd == -1:
        raise OSError(errno, os.strerror(errno))
    if ftruncate(fd, SHM_TOTAL_BYTES) == -1 or fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == -1:
        error = errno
        os.close(fd)
        raise OSError(error, os.strerror(error))
    return fd
