"""Making one listening socket: its options, its address, and errors that say what to do about them."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

from fastlb import arrivals, holders, inherit
from fastlb.plan.model import PATH_BYTES, Address, Bind


class BindError(Exception):
    """A listening socket could not be made. ``busy``: the address is taken by somebody else."""

    def __init__(self, bind: Bind, reason: str, *, busy: bool = False) -> None:
        super().__init__(f"{bind.location}: error: cannot listen on {bind.address}: {reason}")
        self.busy = busy


def probe(bind: Bind) -> None:
    """Raises BindError when somebody listens there already.

    With SO_REUSEPORT a second instance of the same user would silently share the connections (P68); a bind without it
    tells, and the socket is closed again before it listens.
    """
    if bind.address.family == "unix":
        _refuse_other(bind, bind.address.host, living=False)
        if not Path(bind.address.host).parent.is_dir():
            raise BindError(bind, os.strerror(errno.ENOENT))
        return
    with _new(bind.address) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _set_v6only(sock, bind)
        _bequeath(sock, bind)
        _bind_to_device(sock, bind)
        _bind(sock, bind)


def open_tcp(bind: Bind, *, reuseport: bool) -> socket.socket:
    """A listening TCP socket; with ``reuseport`` one of a group on the same address."""
    sock = _new(bind.address)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuseport:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _set_v6only(sock, bind)
        _bequeath(sock, bind)
        arrivals.set_conditions(sock, bind)
        _bind_to_device(sock, bind)
        _bind(sock, bind)
        _listen(sock, bind)
    except BaseException:
        sock.close()
        raise
    return sock


def open_unix(bind: Bind, *, replace: bool = False) -> socket.socket:
    """A listening unix socket, with its mode and owner set before its name appears.

    A stale name is replaced, and with ``replace`` also that of a socket on which somebody listens.
    """
    sock = _new(bind.address)
    try:
        if bind.address.family == "unix":
            _replace(sock, bind, replace)
        else:
            _bind(sock, bind)
            _listen(sock, bind)
    except BaseException:
        sock.close()
        raise
    return sock


def take_over(bind: Bind, fd: int) -> socket.socket:
    """A descriptor that was passed to us, checked, with our options; the original stays open."""
    try:
        sock = socket.socket(fileno=os.dup(fd))
    except OSError as error:
        raise BindError(bind, f"descriptor {fd} is not a socket that was passed to fastlb: {error.strerror}") from error
    try:
        if not is_listener(sock):
            raise BindError(bind, f"descriptor {fd} is not a listening stream socket")
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes(8))  # whatever was set before is not ours (P6)
        if sock.family != socket.AF_UNIX:
            _bequeath(sock, bind)
            arrivals.set_conditions(sock, bind)
            _bind_to_device(sock, bind)
        elif _tcp_only(bind):
            raise BindError(bind, f"descriptor {fd} is a unix socket: {', '.join(_tcp_only(bind))} concern TCP")
    except BaseException:
        sock.close()
        raise
    return sock


def is_listener(sock: socket.socket) -> bool:
    """Whether ``sock`` accepts stream connections."""
    return sock.type == socket.SOCK_STREAM and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


def address_of(sock: socket.socket) -> Address:
    """Where ``sock`` is bound."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        if isinstance(name, bytes):
            family = "abstract" if len(name) > PATH_BYTES else "exact"
            return Address(family, name[1:].rstrip(b"\0").decode(errors="surrogateescape"))
        return Address("unix", name)
    return Address("inet6" if sock.family == socket.AF_INET6 else "inet", name[0], name[1])


def set_access(bind: Bind, path: str) -> None:
    """Mode and owner of a unix socket, as far as its bind says."""
    if bind.mode is not None:
        Path(path).chmod(bind.mode)
    if bind.uid is not None or bind.gid is not None:
        os.chown(path, -1 if bind.uid is None else bind.uid, -1 if bind.gid is None else bind.gid)


def unlink_if_same(path: str, inode: int) -> None:
    """Removes our socket file, unless a successor has put its own there."""
    target = Path(path)
    try:
        if target.lstat().st_ino == inode:
            target.unlink()
    except OSError:
        return


def _new(address: Address) -> socket.socket:
    return socket.socket(address.number, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)


def _tcp_only(bind: Bind) -> list[str]:
    """What the bind says that only a TCP socket can have."""
    said = {
        "defer-accept": bind.defer_accept,
        "tfo": bind.tfo,
        "interface": bind.interface,
        "transparent": bind.transparent,
        "mss": bind.mss,
        "tcp-ut": bind.user_timeout_ms,
        "cc": bind.congestion,
        "tcp-md5sig": bind.md5_key,
    }
    return [f"'{name}'" for name, value in said.items() if value]


def _bequeath(sock: socket.socket, bind: Bind) -> None:
    try:
        inherit.set_options(sock, bind)
    except OSError as error:
        reason = error.strerror or str(error)
        if bind.congestion is not None and error.errno in (errno.ENOENT, errno.EPERM):
            missing = "this kernel lacks it" if error.errno == errno.ENOENT else "it needs CAP_NET_ADMIN"
            reason = f"'cc {bind.congestion}' cannot be had: {missing}"
        raise BindError(bind, reason) from error


def _bind_to_device(sock: socket.socket, bind: Bind) -> None:
    """Since Linux 5.7 nobody needs a privilege for the first device of a socket (socket(7), SO_BINDTODEVICE)."""
    if bind.interface is None:
        return
    name = os.fsencode(bind.interface)
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).rstrip(b"\0") == name:
        return  # whoever passed the socket has done it
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name + b"\0")
    except OSError as error:
        reason = {
            errno.ENODEV: f"there is no interface '{bind.interface}'",
            errno.EPERM: f"interface '{bind.interface}' needs root or the capability CAP_NET_RAW",
        }
        raise BindError(bind, reason.get(error.errno or 0, error.strerror or str(error))) from error


def _set_v6only(sock: socket.socket, bind: Bind) -> None:
    if bind.address.family == "inet6" and bind.v6only is not None:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, bind.v6only)


def _bind(sock: socket.socket, bind: Bind) -> None:
    try:
        sock.bind(bind.address.name)
    except OSError as error:
        raise BindError(bind, _reason(bind.address, error), busy=error.errno == errno.EADDRINUSE) from error


def _listen(sock: socket.socket, bind: Bind) -> None:
    try:
        sock.listen(bind.backlog)
    except OSError as error:
        raise BindError(bind, _reason(bind.address, error), busy=error.errno == errno.EADDRINUSE) from error


def _replace(sock: socket.socket, bind: Bind, living: bool) -> None:
    path = bind.address.host
    _refuse_other(bind, path, living)
    temporary = f"{path}.{os.getpid()}"
    if len(os.fsencode(temporary)) > PATH_BYTES:
        raise BindError(bind, f"the path is too long (at most {PATH_BYTES - 8} bytes)")
    Path(temporary).unlink(missing_ok=True)
    try:
        sock.bind(temporary)
        set_access(bind, temporary)
        sock.listen(bind.backlog)
        Path(temporary).rename(path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise BindError(bind, error.strerror or str(error)) from error


def _refuse_other(bind: Bind, path: str, living: bool) -> None:
    """A name may be replaced when it is a socket that nobody listens on, or with ``living`` any socket."""
    try:
        mode = Path(path).lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise BindError(bind, error.strerror or str(error)) from error
    if not stat.S_ISSOCK(mode):
        raise BindError(bind, "the path exists and is not a socket; it is left alone")
    if living:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as knock:
        if knock.connect_ex(path) in (0, errno.EAGAIN):
            raise BindError(bind, "another process listens there", busy=True)


def _reason(address: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        holder = holders.listening_on(address)
        return f"the address is in use{holder and f' by {holder}'}"
    if error.errno == errno.EACCES:
        return f"permission denied: port {address.port} needs root or the capability CAP_NET_BIND_SERVICE"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address ('transparent' listens all the same)"
    return error.strerror or str(error)
