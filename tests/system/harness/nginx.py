"""nginx as a real web server: one page with its name, and a health page whose status the test sets."""

import signal
import subprocess
from pathlib import Path

from .client import listening
from .environment import without_preload
from .waiting import eventually

HTTP = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{servers}
}}
"""
PAGES = """
    server {{
        listen 127.0.0.1:{port}{proxied};
        location = /healthy {{
            if (-f {directory}/302) {{ return 302 /elsewhere; }}
            if (-f {directory}/404) {{ return 404; }}
            if (-f {directory}/503) {{ return 503; }}
            return 200 "fine\\n";
        }}
        location = /who {{ return 200 "$proxy_protocol_addr:$proxy_protocol_port $proxy_protocol_server_port\\n"; }}
        location / {{ return 200 "{name}\\n"; }}
    }}
"""

FRONT = """
load_module modules/ngx_stream_module.so;
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 512; }}
stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{to}; proxy_protocol on; }} }}
"""
STREAM_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


class Nginx:
    """One running nginx; ``str()`` is its address. ``proxied``: it expects PROXY headers; /who repeats them.

    With ``to`` it is a TCP balancer in front of that port, which it sends PROXY headers.
    """

    def __init__(self, name: str, directory: Path, port: int, proxied: bool = False, to: int = 0) -> None:
        directory.mkdir(mode=0o755)
        self._directory, self._port = directory, port
        config = directory / "nginx.conf"
        expects = " proxy_protocol" if proxied else ""
        pages = PAGES.format(directory=directory, port=port, name=name, proxied=expects)
        config.write_text((FRONT if to else HTTP).format(directory=directory, servers=pages, port=port, to=to))
        command = ["nginx", "-c", str(config), "-e", str(directory / "error.log")]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=without_preload())
        eventually(lambda: listening(("127.0.0.1", port)) or self._process.poll() is not None, "nginx listens")
        assert self._process.poll() is None, "nginx did not start"

    def __str__(self) -> str:
        return f"127.0.0.1:{self._port}"

    def set_health(self, status: int) -> None:
        """What /healthy answers from now on."""
        for other in (302, 404, 503):
            (self._directory / str(other)).unlink(missing_ok=True)
        if status != 200:
            (self._directory / str(status)).touch()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()
