"""The steps of the Dockerfile in clean root directories, and workers started from the result.

`python -m tests.deploy.image_trial` needs root, debootstrap and Java, and no Docker engine. A
Debian with its own Python stands in for the base image. The worker runs as in a container: as the
image's user, on a tree that it cannot write to but for /tmp and its state.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from deploy.local_kafka import LocalKafka
from tests.deploy.dockerfile import DOCKERFILE, Instruction, Stage, stages

WHERE: Final = Path("build/image").absolute()
PACKAGES: Final = "python3,python3-venv,python3-pip,ca-certificates,netbase,tzdata"
PORT: Final = 16066
READY_TIMEOUT_S: Final = 300.0
PATH: Final = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"

_MOUNTS: Final = """
mount --bind {root} {root}
mount -t proc proc {root}/proc
mount --rbind /dev {root}/dev
{more}
exec chroot {user} {root} /usr/bin/env -i "$@"
"""
_OF_THE_NETWORK: Final = ("/etc/resolv.conf", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")


def base() -> Path:
    """Make what stands in for the base image, once."""
    root = WHERE / "base"
    if not (root / "usr/local/bin/python").exists():
        shutil.rmtree(root, ignore_errors=True)
        command: list[str | Path] = [
            "debootstrap",
            "--variant=minbase",
            f"--include={PACKAGES}",
            "bookworm",
            root,
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for name in ("python", "pip"):
            (root / "usr/local/bin" / name).symlink_to(f"/usr/bin/{name}3")
        for marker in (root / "usr/lib").glob("python3*/EXTERNALLY-MANAGED"):
            marker.unlink()
    return root


def build() -> Path:
    """Carry out the Dockerfile, and return the root directory of its last stage."""
    context = WHERE / "context"
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir(parents=True)
    files = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], check=True, capture_output=True
    )
    for name in files.stdout.decode().strip("\0").split("\0"):
        if Path(name).exists():
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, context / name)
    roots: dict[str, Path] = {}
    for stage in stages(DOCKERFILE.read_text()):
        root = roots[stage.name] = WHERE / (stage.name or "final")
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(["cp", "-a", base(), root], check=True)
        _carry_out(stage, root, context, roots)
    return roots[""]


def _carry_out(stage: Stage, root: Path, context: Path, roots: dict[str, Path]) -> None:
    done: list[Instruction] = []
    directory = "/"
    for instruction in stage.instructions:
        done.append(instruction)
        if instruction.name == "WORKDIR":
            directory = instruction.text
            (root / directory[1:]).mkdir(parents=True, exist_ok=True)
        elif instruction.name == "COPY":
            _copy(instruction, root / directory[1:], root, context, roots)
        elif instruction.name == "RUN":
            started = time.monotonic()
            env = {"PATH": PATH} | Stage("", done).environment({"PATH": PATH})
            for_network = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_"))}
            script = f"cd {directory}\n{instruction.text}"
            binds = "\n".join(
                f"touch {root}{name}; mount --bind {name} {root}{name}"
                for name in _OF_THE_NETWORK
                if Path(name).exists()
            )
            _in(root, env | for_network, ["/bin/sh", "-ec", script], binds).check_returncode()
            _say(f"{time.monotonic() - started:6.1f} s  {instruction.text[:90]}")


def _copy(
    instruction: Instruction, here: Path, root: Path, context: Path, roots: dict[str, Path]
) -> None:
    words = instruction.words
    flags = dict(word[2:].split("=") for word in words if word.startswith("--"))
    *sources, target = [word for word in words if not word.startswith("--")]
    source_root = roots[flags["from"]] if "from" in flags else context
    to = root / target[1:] if target.startswith("/") else here / target
    to.parent.mkdir(parents=True, exist_ok=True)
    for source in sources:
        subprocess.run(
            ["cp", "-aT" if len(sources) == 1 else "-a", source_root / source.lstrip("/"), to],
            check=True,
        )
    if "chmod" in flags:
        to.chmod(int(flags["chmod"], 8))


def _in(
    root: Path, env: dict[str, str], command: list[str], mounts: str = "", user: str = ""
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(_entering(root, env, command, mounts, user), check=False)


def _entering(
    root: Path, env: dict[str, str], command: list[str], mounts: str = "", user: str = ""
) -> list[str]:
    script = _MOUNTS.format(root=shlex.quote(str(root)), more=mounts, user=user)
    variables = [f"{name}={value}" for name, value in env.items()]
    return ["unshare", "--mount", "sh", "-ec", script, "sh", *variables, *command]


def is_healthy(root: Path, url: str) -> bool:
    """Tell what the health check of the image says of an address."""
    final = stages(DOCKERFILE.read_text())[-1]
    _, _, check = final.last("HEALTHCHECK").text.partition("CMD ")
    env = final.environment({"PATH": PATH}) | {"HEALTH_URL": url}
    return _in(root, env, json.loads(check)).returncode == 0


class Container:
    """The image's entry point on a root that it cannot write to."""

    def __init__(self, root: Path, state: Path, arguments: list[str], env: dict[str, str]) -> None:
        final = stages(DOCKERFILE.read_text())[-1]
        user = final.last("USER").text
        uid, gid = map(int, user.split(":"))
        state.mkdir(parents=True)
        os.chown(state, uid, gid)
        mounts = f"""
        mount --bind {state} {root}/var/lib/chargewatch
        mount -o remount,ro,bind {root}
        mount -t tmpfs tmpfs {root}/tmp
        """
        directory = final.last("WORKDIR").text
        own = {"PATH": PATH} | final.environment({"PATH": PATH}) | env
        command = [*final.last("ENTRYPOINT").words, *arguments]
        entered = _entering(
            root,
            own,
            ["/bin/sh", "-c", f'cd {directory}; exec "$@"', "sh", *command],
            mounts,
            f"--userspec={user}",
        )
        self.log = state.with_suffix(".log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(entered, stdout=log, stderr=subprocess.STDOUT)

    def seconds_until(self, url: str) -> float:
        """Return after how many seconds a page answers 200."""
        started = time.monotonic()
        while True:
            try:
                with urllib.request.urlopen(url, timeout=2):
                    return time.monotonic() - started
            except (OSError, urllib.error.URLError):
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() - started < READY_TIMEOUT_S, self.log.read_text()
                time.sleep(0.05)

    def compiled(self) -> int:
        """Return how many kernels it has compiled by itself."""
        kernels = Path(f"/proc/{self.process.pid}/root/tmp/kernels").rglob("*.nbc")
        return sum(not file.is_symlink() for file in kernels)

    def stop(self) -> int:
        """Stop it as Docker does."""
        self.process.terminate()
        return self.process.wait(30)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


OF_THE_IMAGE: Final[dict[str, str]] = {}
NO_KERNELS: Final = {"NUMBA_CPU_NAME": "nehalem"}
"""For this processor there are none in the image."""

STARTS: Final = (
    ("worker", "WEB", OF_THE_IMAGE),
    ("worker", "WEB", NO_KERNELS),
    ("worker", "WEB", OF_THE_IMAGE),
    ("worker", "WEB", OF_THE_IMAGE),
    ("serve", "API", {"CHARGEWATCH_API_HOST": "0.0.0.0"}),
    (
        "console",
        "CONSOLE",
        {"CHARGEWATCH_CONSOLE_HOST": "0.0.0.0", "CHARGEWATCH_CONSOLE_URL": "https://fraud.example"},
    ),
)


def main() -> None:
    """Build, then start every kind of server, a worker also without the kernels of the image."""
    root = build() if "--built" not in sys.argv else WHERE / "final"
    runs = WHERE / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    health = f"http://127.0.0.1:{PORT}/healthz"
    with LocalKafka() as kafka:
        for number, (verb, kind, more) in enumerate(STARTS):
            env = {
                "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
                f"CHARGEWATCH_{kind}_PORT": str(PORT),
            }
            assert not is_healthy(root, health)
            server = Container(root, runs / str(number), [verb], env | more)
            try:
                seconds = server.seconds_until(f"http://127.0.0.1:{PORT}/readyz")
                assert is_healthy(root, health)
                compiled = server.compiled()
            finally:
                code = server.stop()
            _say(
                f"{verb} {more}: ready after {seconds:.1f} s, {compiled} kernels compiled, "
                f"stopped with {code}"
            )
            assert bool(compiled) == (more == NO_KERNELS)


if __name__ == "__main__":
    main()
