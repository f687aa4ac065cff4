"""fastlb in the foreground, as an operator sees it: command line, signals, /proc, /metrics. No import of its code."""

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from . import processes, samples
from .environment import FASTLB, for_fastlb
from .notify import NotifySocket
from .waiting import eventually

WORKER_TITLE = "fastlb: worker"


class Fastlb:
    """One running fastlb, ready unless ``wait`` is False."""

    kind = "fastlb"

    def __init__(
        self, config: str, directory: Path, metrics_port: int, *,
        options: Sequence[str] = (), nofile: int = 0, pass_fds: Sequence[int] = (), wait: bool = True,
        environment: dict[str, str] | None = None, wrapper: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.config_path = directory / "lb.conf"
        self.config_path.write_text(config)
        self.socket_path, self.metrics_port = directory / "admin.sock", metrics_port
        self.stdout_path, self.stderr_path = directory / "stdout", directory / "stderr"
        self.notify = NotifySocket(str(directory / "notify.sock"))
        command = [
            *wrapper, *FASTLB, "-c", str(self.config_path), "--socket", str(self.socket_path),
            "--metrics", f"127.0.0.1:{metrics_port}", *options,
        ]  # fmt: skip
        with self.stdout_path.open("wb") as stdout, self.stderr_path.open("wb") as stderr:
            self.process = subprocess.Popen(
                command, stdout=stdout, stderr=stderr, stdin=subprocess.DEVNULL, start_new_session=True,
                env=for_fastlb(NOTIFY_SOCKET=self.notify.path, **(environment or {})), pass_fds=pass_fds,
                preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))) if nofile else None,
            )  # fmt: skip
        if wait:
            self.wait_ready()

    # Life

    @property
    def pid(self) -> int:
        """The master."""
        return self.process.pid

    def wait_ready(self) -> None:
        eventually(lambda: self.process.poll() is not None or self.notify.said("READY=1"), "READY=1", 30)
        assert self.process.poll() is None, f"fastlb ended with {self.process.returncode}: {self.output()}"

    def output(self) -> str:
        """All it wrote, stdout before stderr."""
        return self.stdout_path.read_text(errors="replace") + self.stderr_path.read_text(errors="replace")

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait_end(self, within_s: float = 15) -> int:
        """Its exit status, once it has ended."""
        eventually(lambda: self.process.poll() is not None, "fastlb ends", within_s)
        return self.process.returncode

    def leftovers(self) -> list[str]:
        return [f"{pid} {processes.title(pid)}" for pid in processes.session_members(self.pid)]

    def kill_all(self) -> None:
        for pid in processes.session_members(self.pid):
            processes.kill_if_alive(pid)
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    # Workers

    def workers(self) -> list[int]:
        """Pids of the workers that run, by worker number."""
        titles = {pid: processes.title(pid) for pid in processes.children(self.pid)}
        found = [pid for pid, title in titles.items() if title.startswith(WORKER_TITLE)]
        return sorted(found, key=lambda pid: int(titles[pid].removeprefix(WORKER_TITLE).split()[0]))

    def wait_workers(self, count: int, without: Sequence[int] = ()) -> list[int]:
        """The workers' pids once ``count`` run, none of them in ``without``."""

        def complete() -> list[int]:
            pids = self.workers()
            return pids if len(pids) == count and not set(pids) & set(without) else []

        return eventually(complete, f"{count} workers, none of {list(without)}", 20)

    # Asking it

    def samples(self) -> samples.Samples:
        status, body = samples.get("127.0.0.1", self.metrics_port, "/metrics")
        assert status == 200, body
        return samples.Samples(body)

    def sanitized(self) -> bool:
        """Whether this is a build whose checks cost memory and write reports."""
        ((labels, _),) = self.samples().select("fastlb_build_info")
        return labels["engine"] not in ("release", "debug")

    def get(self, path: str) -> tuple[int, str]:
        return samples.get("127.0.0.1", self.metrics_port, path)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """``fastlb WORDS --socket …``: status, reload, drain, stop."""
        command = [*FASTLB, *words, "--socket", str(self.socket_path)]
        return subprocess.run(command, env=for_fastlb(), capture_output=True, text=True, timeout=60)

    def reload(self, config: str | None = None) -> None:
        """Put ``config`` in place and reload; it must succeed."""
        if config is not None:
            self.config_path.write_text(config)
        done = self.command("reload")
        assert done.returncode == 0, done.stdout + done.stderr + self.output()

    def stop(self) -> None:
        """SIGTERM; it must end well and at once."""
        self.signal(signal.SIGTERM)
        assert self.wait_end() == 0, self.output()
