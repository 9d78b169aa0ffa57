"""docs/two-planes.md, to the letter: its files are written where they are said to be, and its commands are run in their order.

It happens in a world of its own: `/etc`, `/var`, `/run`, `/root` and `/usr/local` are copies that are gone afterwards, and the
network is nobody else's, so that names, paths and ports are those of the page. What the page takes for granted is there: PostgreSQL,
the three names, and systemd, in whose place stands what this file says. In place of Bedrock there is `bedrock-sim`, as the page's last
section has it. Needs root; run by `cargo xtask namespaces`.
"""

import argparse
import configparser
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

PAGE = pathlib.Path(__file__).parents[2] / "docs/two-planes.md"
NAMES = ("control.example.com", "data.example.com", "claude.example.com")
UNITS = pathlib.Path("/etc/systemd/system")
LOGS = pathlib.Path("/var/log/units")


def run(*command, **more):
    return subprocess.run(list(map(str, command)), check=True, text=True, **more)


def check(what, holds, shown=""):
    print(f"{'holds' if holds else 'FAILS'}: {what}", flush=True)
    if not holds:
        raise AssertionError(f"{what}: {shown}")


def script(page, simulated):
    """The page as a script: what it says to write is written, what it says to run is run."""
    lines = ["set -eu"]
    begun, kind, path, block, before = False, None, None, [], ""
    for line in page.splitlines():
        if kind is None:
            if line.startswith("## "):
                begun = not line.startswith("## Without")
            if line.startswith("```") and begun:
                kind, block = line[3:], []
                named = re.fullmatch(r"`(/[^`]+)`:", before)
                path = named and named.group(1)
            elif line.strip():
                before = line.strip()
        elif line == "```":
            if path:
                more = simulated if path.endswith("/dataplane.env") else []
                lines += [f"mkdir -p {os.path.dirname(path)}", f"cat > {path} <<'END-OF-FILE'", *block, *more, "END-OF-FILE"]
            elif kind == "sh":
                # What is built is built already.
                lines += [command for command in block if not command.startswith("cargo ")]
            else:
                raise AssertionError(f"a block of {kind} that is neither a file nor commands: {block[:3]}")
            kind, before = None, ""
        else:
            block.append(line)
    return "\n".join(lines) + "\n"


def without_aws(page):
    """The lines that the last section adds, and the command that it says to run beside."""
    section = page.split("## Without an AWS account", 1)[1]
    lines = section.split("```ini\n", 1)[1].split("\n```", 1)[0].splitlines()
    return lines, re.search(r"`(bedrock-sim [^`]+)`", section).group(1).split()


def systemctl(words):
    """systemd, as far as the page needs it: a unit's program with its environment, its user and its directory."""
    match words:
        case ["daemon-reload"]:
            return
        case ["reload", "nginx"]:
            # A Debian with the package has it running.
            pid = pathlib.Path("/run/nginx.pid")
            run("nginx", *(["-s", "reload"] if pid.exists() and pid.read_text().strip() else []))
            return
        case ["enable", "--now", name]:
            unit = configparser.ConfigParser(strict=False, interpolation=None)
            unit.optionxform = str
            unit.read_string((UNITS / f"{name}.service").read_text())
            service = unit["Service"]
        case _:
            raise SystemExit(f"the test knows no `systemctl {' '.join(words)}`")
    known = {"User", "Group", "StateDirectory", "EnvironmentFile", "ExecStart", "Restart", "TimeoutStopSec",
             "NoNewPrivileges", "ProtectSystem", "ProtectHome", "PrivateTmp"}
    if strange := set(service) - known:
        raise SystemExit(f"the test does not know {strange} of a unit")
    if directory := service.get("StateDirectory"):
        path = pathlib.Path("/var/lib") / directory
        path.mkdir(exist_ok=True)
        shutil.chown(path, service["User"], service["Group"])
    lines = pathlib.Path(service["EnvironmentFile"]).read_text().splitlines()
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", **dict(line.split("=", 1) for line in lines if line)}
    LOGS.mkdir(exist_ok=True)
    with open(LOGS / f"{name}.log", "ab") as log:
        subprocess.Popen(service["ExecStart"].split(), env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                         start_new_session=True, user=service["User"], group=service["Group"], extra_groups=[])


def world(folder):
    """Copies of what the page writes to, and a network."""
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "tmpfs", "tmpfs", folder)
    for place in ("etc", "var", "root", "usr/local"):
        upper, work = folder / place / "upper", folder / place / "work"
        upper.mkdir(parents=True)
        work.mkdir()
        upper.chmod(os.stat(f"/{place}").st_mode)
        run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/{place},upperdir={upper},workdir={work}", f"/{place}")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    run("ip", "link", "set", "lo", "up")
    with open("/etc/hosts", "w") as hosts:
        hosts.write("127.0.0.1 localhost " + " ".join(NAMES) + "\n")


def database(binaries):
    """A PostgreSQL as Debian's package leaves it: the system's user may do everything, others have passwords."""
    data, sockets = pathlib.Path("/var/lib/postgresql-of-test"), pathlib.Path("/run/postgresql")
    for path in (data, sockets):
        path.mkdir()
        shutil.chown(path, "postgres", "postgres")
    as_postgres = ["runuser", "-u", "postgres", "--"]
    run(*as_postgres, f"{binaries}/initdb", "-D", data, "-A", "peer", "--auth-host=scram-sha-256", cwd="/", stdout=subprocess.DEVNULL)
    run(*as_postgres, f"{binaries}/pg_ctl", "-D", data, "-w", "-l", data / "log", "-o", f"-k {sockets} -c fsync=off", "start", cwd="/",
        stdout=subprocess.DEVNULL)


def body(args):
    page = PAGE.read_text()
    folder = pathlib.Path(tempfile.mkdtemp())
    world(folder)
    database(args.postgres)
    # What the page runs in a clone: its programs are where cargo leaves those of a release.
    clone = folder / "clone"
    (clone / "target").mkdir(parents=True)
    (clone / "target/release").symlink_to(args.programs)
    shims = folder / "bin"
    shims.mkdir()
    (shims / "systemctl").write_text(f"#!/bin/sh\nexec {sys.executable} {__file__} --systemctl \"$@\"\n")
    (shims / "systemctl").chmod(0o755)
    simulated, simulator = without_aws(page)
    check("the page says how to do without AWS", any("AWS_ENDPOINT_URL_BEDROCK_RUNTIME" in line for line in simulated), simulated)
    subprocess.Popen([args.programs / simulator[0], *simulator[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    environment = {"PATH": f"{shims}:{args.postgres}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
    (folder / "page.sh").write_text(script(page, simulated))
    try:
        done = subprocess.run(["timeout", "180", "bash", folder / "page.sh"], cwd=clone, env=environment, text=True, stdin=subprocess.DEVNULL,
                              capture_output=True, check=False)
        check("every command of the page works", done.returncode == 0, f"{done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        check("the first answer comes through nginx and the data plane", '"type":"message"' in done.stdout, done.stdout)
        check("the fleet shows the data plane, up to date", re.search(r"^\S+ +connected +\d+ +0 ", done.stdout, re.M) is not None, done.stdout)

        def asked(path):
            return run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", "/etc/ccag/control-planes-ca.crt",
                       f"https://claude.example.com{path}", capture_output=True).stdout

        statuses = {path: asked(path) for path in ("/v1/models", "/api/hello", "/openapi.json", "/no-such-page")}
        check("paths lead where the page says", statuses == {"/v1/models": "401", "/api/hello": "200", "/openapi.json": "200",
                                                             "/no-such-page": "404"}, statuses)
        deadline = time.monotonic() + 30
        while (stored := run("runuser", "-u", "postgres", "--", "psql", "-qAtc", "select count(*) from usage_records", "ccag", cwd="/",
                             capture_output=True).stdout.strip()) != "1" and time.monotonic() < deadline:
            time.sleep(0.2)
        check("what it has cost is in the ledger", stored == "1", stored)
        bare = {"PATH": "/usr/bin", "CCAG_CONTROL_PLANE": "https://control.example.com:8082", "CCAG_GRPC_CA": "/etc/ccag/control-planes-ca.crt",
                "CCAG_JOIN_TOKEN_FILE": "/etc/ccag/join-token", "CCAG_HTTP_LISTEN": "127.0.0.1:0", "CCAG_OPS_LISTEN": "127.0.0.1:0",
                "CCAG_DATA_DIR": str(folder / "bare"), "AWS_REGION": "eu-central-1"}
        with open(folder / "bare.log", "wb") as log:
            stranger = subprocess.Popen([args.programs / "ccag-dataplane"], env=bare, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while "lets nobody in without a certificate" not in (said := (folder / "bare.log").read_text()) and time.monotonic() < deadline:
            time.sleep(0.2)
        stranger.kill()
        check("without its certificate a data plane is not let in", "lets nobody in without a certificate" in said, said)
        # The planes run as somebody who can read neither the keys of the authorities nor anybody else's files.
        readable = subprocess.run(["runuser", "-u", "ccag", "--", "cat", "/root/ccag-authorities/data-planes-ca.key"], capture_output=True,
                                  check=False)
        check("no plane can read the key of an authority", readable.returncode != 0)
        mode = os.stat("/etc/ccag/master-key").st_mode & 0o777
        check("secrets are for root and the planes", mode == 0o640, oct(mode))
    except BaseException:
        for log in sorted(LOGS.glob("*.log")) if LOGS.exists() else []:
            sys.stderr.write(f"---- {log.name}\n{log.read_text(errors='replace')[-3000:]}\n")
        raise


def main():
    if sys.argv[1:2] == ["--systemctl"]:
        return systemctl(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="where the gateway's programs are")
    parser.add_argument("--postgres", required=True, help="where initdb and postgres are")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        return body(args)
    # Whatever is started there ends with it.
    inside = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    raise SystemExit(subprocess.run([*inside, sys.executable, *sys.argv, "--inside"], check=False).returncode)


if __name__ == "__main__":
    main()
