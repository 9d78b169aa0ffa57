"""Both planes as the chart sets them up, each in a network of its own, as pods are in a cluster.

What Helm renders is run: the environment of the containers, their files, the certificates that the chart makes, the paths that its
Ingress splits. Two control planes, two data planes and PostgreSQL stand in a network that clients cannot reach; nginx stands in both,
with TLS towards clients, and Bedrock is `bedrock-sim`. Needs root, for network namespaces; run by `cargo xtask namespaces`.
"""

import argparse
import base64
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from render import render

PASSWORD = "correct-horse-battery-staple"
JOIN_TOKEN = "join-token-of-a-test-0123456789abcdef"
PUBLIC = "claude.test"
MODEL = "claude-sonnet-4-6"
PREFIX = f"ccag{os.getpid() % 10_000}"

# Who has which address behind the proxy. The client has none there.
INNER = {"cp1": "10.77.0.11", "cp2": "10.77.0.12", "dp1": "10.77.0.21", "dp2": "10.77.0.22", "db": "10.77.0.31",
         "aws": "10.77.0.41", "lb": "10.77.0.51"}
OUTER = {"lb": "10.78.0.51", "client": "10.78.0.61"}

VALUES = {
    "publicUrl": f"https://{PUBLIC}",
    "awsRegion": "us-east-1",
    "trustedProxies": ["10.77.0.51/32"],
    "secrets": {
        "masterKey": "0" * 64,
        "joinToken": JOIN_TOKEN,
        "adminPassword": PASSWORD,
        "databaseUrl": "postgres://ccag:of-a-test@db.test/ccag?sslmode=verify-full&sslrootcert=DATABASE_CA",
    },
    "ingress": {"enabled": True, "className": "nginx", "host": PUBLIC, "tlsSecret": "front"},
    "dataPlane": {"env": {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": f"http://{INNER['aws']}:4566"}},
}


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def until(what, ask, seconds=60):
    """Asks until there is an answer."""
    deadline = time.monotonic() + seconds
    while True:
        last = None
        try:
            if answer := ask():
                return answer
        except (RuntimeError, ValueError, KeyError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain until {what}; last: {last}")
        time.sleep(0.1)


class Networks:
    """A namespace for each, and two switches."""

    def __init__(self):
        self.made, self.hosts = [], []
        for name in ("inner", "outer", *INNER, "client"):
            run("ip", "netns", "add", f"{PREFIX}-{name}")
            self.made.append(f"{PREFIX}-{name}")
            self.inside(name, "ip", "link", "set", "lo", "up")
        for switch in ("inner", "outer"):
            self.inside(switch, "ip", "link", "add", "switch", "type", "bridge")
            self.inside(switch, "ip", "link", "set", "switch", "up")
        for switch, members in (("inner", INNER), ("outer", OUTER)):
            for name, address in members.items():
                self.join(switch, name, address)

    def join(self, switch, name, address):
        port, card = f"{name}-p", f"{switch}0"
        run("ip", "-n", f"{PREFIX}-{switch}", "link", "add", port, "type", "veth", "peer", "name", card,
            "netns", f"{PREFIX}-{name}")
        self.inside(switch, "ip", "link", "set", port, "master", "switch", "up")
        self.inside(name, "ip", "address", "add", f"{address}/24", "dev", card)
        self.inside(name, "ip", "link", "set", card, "up")

    def inside(self, name, *command, **more):
        return run("ip", "netns", "exec", f"{PREFIX}-{name}", *command, **more)

    def know(self, name, entries):
        """The names that somebody can look up."""
        directory = pathlib.Path("/etc/netns") / f"{PREFIX}-{name}"
        directory.mkdir(parents=True)
        self.hosts.append(directory)
        lines = [f"{address} {host}" for address, host in entries]
        (directory / "hosts").write_text("127.0.0.1 localhost\n" + "\n".join(lines) + "\n")

    def close(self):
        for name in self.made:
            subprocess.run(["ip", "netns", "del", name], check=False)
        for directory in self.hosts:
            shutil.rmtree(directory, ignore_errors=True)


class Programs:
    """What runs, each in a namespace, with its output in a file."""

    def __init__(self, networks, files):
        self.networks, self.files, self.running = networks, files, {}

    def start(self, name, where, command, environment):
        log = open(self.files / f"{name}.log", "ab")
        path = {"PATH": os.environ["PATH"]}
        whole = ["ip", "netns", "exec", f"{PREFIX}-{where}", *map(str, command)]
        self.running[name] = subprocess.Popen(whole, env=path | environment, stdout=log, stderr=log, start_new_session=True)

    def kill(self, name, how=signal.SIGKILL):
        process = self.running.pop(name)
        os.killpg(process.pid, how)
        process.wait(timeout=30)

    def said(self, name):
        return (self.files / f"{name}.log").read_text(errors="replace")

    def close(self):
        for name in list(self.running):
            try:
                self.kill(name)
            except ProcessLookupError:
                pass


def of_kind(documents, kind, ending=""):
    return [d for d in documents if d["kind"] == kind and d["metadata"]["name"].endswith(ending)]


class Pod:
    """A container of the chart's, as files and an environment."""

    def __init__(self, documents, plane, name, files):
        workloads = of_kind(documents, "Deployment", plane) + of_kind(documents, "StatefulSet", plane)
        spec = workloads[0]["spec"]["template"]["spec"]
        secrets = {d["metadata"]["name"]: d for d in of_kind(documents, "Secret")}
        self.container, self.name, self.root = spec["containers"][0], name, files / name
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        for mount in self.container["volumeMounts"]:
            directory = self.root / mount["mountPath"].lstrip("/")
            directory.mkdir(parents=True, exist_ok=True)
            secret = volumes.get(mount["name"], {}).get("secret")
            for item in (secret or {}).get("items", []):
                value = content(secrets[secret["secretName"]], item["key"])
                (directory / item["path"]).write_text(value.replace("DATABASE_CA", str(files / "db.crt")))
        self.secrets = secrets

    def environment(self):
        whole = {}
        for variable in self.container["env"]:
            value = variable.get("value")
            source = variable.get("valueFrom", {})
            if reference := source.get("secretKeyRef"):
                value = content(self.secrets[reference["name"]], reference["key"])
            elif source.get("fieldRef"):
                value = self.name
            for mount in self.container["volumeMounts"]:
                path = mount["mountPath"]
                if value == path or value.startswith(path + "/"):
                    value = str(self.root) + value
                    break
            whole[variable["name"]] = value
        return whole


def content(secret, key):
    if key in secret.get("stringData", {}):
        return secret["stringData"][key]
    return base64.b64decode(secret["data"][key]).decode()


def certificate(files, name, host):
    """A certificate of an authority of its own, for what is not the chart's: the front, and the database. The authority's stands in
    `NAME.crt`."""
    authority, key, made = files / f"{name}.crt", files / f"{name}-own.key", files / f"{name}-own.crt"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run("openssl", "req", "-x509", *curve, "-days", "2", "-keyout", files / f"{name}.key", "-out", authority,
        "-subj", f"/CN=authority of {name}")
    run("openssl", "req", *curve, "-keyout", key, "-out", files / f"{name}.csr", "-subj", f"/CN={host}")
    (files / f"{name}.ext").write_text(f"subjectAltName=DNS:{host}\nbasicConstraints=CA:FALSE\n")
    run("openssl", "x509", "-req", "-in", files / f"{name}.csr", "-CA", authority, "-CAkey", files / f"{name}.key", "-CAcreateserial",
        "-days", "2", "-out", made, "-extfile", files / f"{name}.ext")
    return key, made


def database(programs, files, binaries):
    """PostgreSQL that speaks TLS or not at all."""
    data = files / "postgres"
    data.mkdir()
    shutil.chown(data, "postgres", "postgres")
    as_postgres = ["runuser", "-u", "postgres", "--"]
    run(*as_postgres, f"{binaries}/initdb", "-D", data, "-U", "postgres", "-A", "trust", cwd="/")
    key, made = certificate(files, "db", "db.test")
    for path in (key, made):
        shutil.copy(path, data / f"server{path.suffix}")
        shutil.chown(data / f"server{path.suffix}", "postgres", "postgres")
    (data / "server.key").chmod(0o600)
    (data / "pg_hba.conf").write_text("local all all trust\nhostssl all all 10.77.0.0/24 scram-sha-256\n")
    options = [f"-clisten_addresses={INNER['db']}", f"-cunix_socket_directories={data}", "-cssl=on", "-cfsync=off"]
    programs.start("db", "db", [*as_postgres, f"{binaries}/postgres", "-D", data, *options], {})
    admin = [*as_postgres, "psql", "-h", data, "-U", "postgres", "-qAtc"]
    until("PostgreSQL answers", lambda: run(*admin, "select 1", cwd="/"))
    run(*admin, "create role ccag login password 'of-a-test'", cwd="/")
    run(*admin, "create database ccag owner ccag", cwd="/")
    return lambda statement: run(*admin, statement, "ccag", cwd="/").strip()


def nginx(documents, files):
    """nginx with the paths of the chart's Ingress: each leads to the planes behind its Service."""
    key, made = certificate(files, "front", PUBLIC)
    behind = {"data-plane": [("dp1", 8080), ("dp2", 8080)], "control-plane": [("cp1", 8081), ("cp2", 8081)]}
    upstreams = "".join(
        f"upstream {name} {{ {' '.join(f'server {INNER[who]}:{port} max_fails=1 fail_timeout=5s;' for who, port in members)} keepalive 16; }}\n"
        for name, members in behind.items()
    )
    locations = ""
    for rule in of_kind(documents, "Ingress")[0]["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            service = path["backend"]["service"]["name"]
            plane = next(name for name in behind if service.endswith(name))
            exactly = "= " if path["pathType"] == "Exact" else ""
            locations += f"location {exactly}{path['path']} {{ proxy_pass http://{plane}; }}\n"
    text = f"""
        daemon off; worker_processes 2; pid {files}/nginx.pid; error_log stderr warn;
        events {{ worker_connections 1024; }}
        http {{
            access_log off; client_max_body_size 0; proxy_http_version 1.1;
            client_body_temp_path {files}/nginx-body; proxy_temp_path {files}/nginx-proxy;
            fastcgi_temp_path {files}/nginx-f; uwsgi_temp_path {files}/nginx-u; scgi_temp_path {files}/nginx-s;
            proxy_buffering off; proxy_request_buffering off; proxy_read_timeout 15m; proxy_next_upstream error timeout;
            proxy_set_header Host $http_host; proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
            {upstreams}
            server {{
                listen {OUTER['lb']}:443 ssl; ssl_certificate {made}; ssl_certificate_key {key};
                {locations}
            }}
        }}"""
    config = files / "nginx.conf"
    config.write_text(text)
    return config


class Client:
    """Somebody outside, with curl."""

    def __init__(self, networks, files):
        self.networks, self.trust = networks, files / "front.crt"

    def command(self, path, *more):
        return ["curl", "-sS", "--max-time", "60", "--cacert", str(self.trust), f"https://{PUBLIC}{path}", *more]

    def call(self, path, body=None, token=None, method=None):
        more = ["-H", "content-type: application/json", "-w", "\n%{http_code}"]
        if body is not None:
            more += ["-d", json.dumps(body)]
        if token:
            more += ["-H", f"authorization: Bearer {token}"]
        if method:
            more += ["-X", method]
        text, _, status = self.networks.inside("client", *self.command(path, *more)).rpartition("\n")
        return int(status), text

    def done(self, path, body=None, token=None, method=None):
        status, text = self.call(path, body, token, method)
        if not 200 <= status < 300:
            raise RuntimeError(f"{path}: {status} {text}")
        return json.loads(text or "null")

    def stream(self, key, prompt):
        """When which line of an answer came, in seconds, and the whole of it."""
        body = {"model": MODEL, "max_tokens": 500, "stream": True, "messages": [{"role": "user", "content": prompt}]}
        command = self.command("/v1/messages", "-N", "-H", f"x-api-key: {key}", "-H", "anthropic-version: 2023-06-01",
                               "-H", "content-type: application/json", "-d", json.dumps(body))
        whole = ["ip", "netns", "exec", f"{PREFIX}-client", *command]
        lines = []
        with subprocess.Popen(whole, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            begun = time.monotonic()
            for line in process.stdout:
                lines.append((time.monotonic() - begun, line.rstrip()))
        return lines


def check(what, holds, shown=""):
    print(f"{'holds' if holds else 'FAILS'}: {what}", flush=True)
    if not holds:
        raise AssertionError(f"{what}: {shown}")


def body(args, files, networks):
    documents = render(VALUES)
    control, data = args.programs / "ccag-controlplane", args.programs / "ccag-dataplane"
    programs = Programs(networks, files)
    try:
        grpc = [d for d in of_kind(documents, "Service") if any(port["port"] == 8082 for port in d["spec"]["ports"])]
        pods = {name: Pod(documents, "control-plane" if name.startswith("cp") else "data-plane", name, files)
                for name in ("cp1", "cp2", "dp1", "dp2")}
        plane_url = pods["dp1"].environment()["CCAG_CONTROL_PLANE"]
        plane_host = plane_url.removeprefix("https://").rsplit(":", 1)[0]
        check("data planes call the control plane's Service over TLS",
              plane_url.startswith("https://") and plane_host.split(".")[0] in [d["metadata"]["name"] for d in grpc], plane_url)
        names = [(INNER["db"], "db.test")]
        names += [(INNER[name], plane_host) for name in ("cp1", "cp2")]
        for name in (*INNER, "client"):
            networks.know(name, [(OUTER["lb"], PUBLIC)] if name == "client" else names)
        ask_database = database(programs, files, args.postgres)
        programs.start("aws", "aws", [args.programs / "bedrock-sim", "--listen", f"{INNER['aws']}:4566"], {})
        credentials = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "opens-nothing", "AWS_EC2_METADATA_DISABLED": "true"}

        def start(name):
            program = control if name.startswith("cp") else data
            programs.start(name, name, [program], pods[name].environment() | credentials)

        for name in pods:
            start(name)
        programs.start("lb", "lb", ["nginx", "-p", files, "-c", nginx(documents, files)], {})

        def ready(name):
            port = 9091 if name.startswith("cp") else 9090
            return "200" in networks.inside(name, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{port}/readyz")

        for name in pods:
            until(f"{name} is ready", lambda name=name: ready(name))
        client = Client(networks, files)
        token = until("somebody outside can sign in", lambda: client.done("/auth/login", {"username": "admin", "password": PASSWORD})["token"])
        check("an administrator signs in from outside, through TLS", bool(token))

        def both():
            replicas = client.done("/admin/status", token=token)["replicas"]
            return replicas["connected"] == 2 and replicas["up_to_date"] == 2

        def both_are(what, count):
            return client.done("/admin/status", token=token)["replicas"][what] == count

        check("both data planes are in the fleet, and up to date", until("both data planes are seen", both))
        team = client.done("/admin/teams", {"name": "platform"}, token)
        user = client.done("/admin/users", {"username": "ada", "password": PASSWORD}, token)
        client.done(f"/admin/users/{user['id']}/team", {"team_id": team["id"]}, token, "PUT")
        key = client.done("/admin/keys", {"name": "laptop", "user_id": user["id"]}, token)["key"]

        def answered(prompt):
            lines = client.stream(key, prompt)
            return lines if any(line == "event: message_stop" for _, line in lines) else None

        lines = until("the key is known everywhere", lambda: answered("Say something. [sim: text=300, events=20, gap=100]"))
        times = [at for at, line in lines if line == "event: content_block_delta"]
        check("an answer comes event by event through the proxy", len(times) >= 20 and times[-1] - times[0] > 1.0, times)
        for _ in range(20):
            until("each data plane knows the key", lambda: answered("Say something."), 20)

        def completed(name):
            metrics = networks.inside(name, "curl", "-s", "http://127.0.0.1:9090/metrics").splitlines()
            counted = [line for line in metrics if line.startswith("ccag_dataplane_requests_total{") and 'outcome="completed"' in line]
            return sum(int(line.rsplit(" ", 1)[1]) for line in counted)

        served = {name: completed(name) for name in ("dp1", "dp2")}
        check("both data planes have answered", all(served.values()), served)
        until("usage is in the ledger", lambda: int(ask_database("select count(*) from usage_records")) >= 21)
        check("usage arrives in PostgreSQL", True)

        plain = subprocess.run(["ip", "netns", "exec", f"{PREFIX}-dp1", "curl", "-sS", "--max-time", "5", "--http2-prior-knowledge",
                                f"http://{plane_host}:8082/"], capture_output=True, text=True, check=False)
        check("the way between the planes is closed to who speaks no TLS", plain.returncode != 0, plain.stdout)
        away = subprocess.run(["ip", "netns", "exec", f"{PREFIX}-client", "curl", "-sS", "--max-time", "3", f"http://{INNER['cp1']}:8081/"],
                              capture_output=True, text=True, check=False)
        check("a client cannot reach what stands behind the proxy", away.returncode != 0, away.stdout)

        # Another authority's certificate.
        stranger = Pod(render(VALUES), "data-plane", "stranger", files).environment() | credentials
        programs.kill("dp2")
        programs.start("stranger", "dp2", [data], stranger)
        until("the stranger says why", lambda: "certificate" in programs.said("stranger").lower(), 30)
        check("a data plane does not trust a control plane of another authority", not ready("dp2"))
        programs.kill("stranger")

        # The token, and no certificate.
        bare = {name: value for name, value in pods["dp2"].environment().items() if not name.startswith("CCAG_GRPC_CLIENT_")}
        programs.start("bare", "dp2", [data], bare | credentials)
        until("who has no certificate is told so", lambda: "lets nobody in without a certificate" in programs.said("bare"), 30)
        until("the control plane says whom it refused", lambda: any(
            INNER["dp2"] in programs.said(name) and "shows no certificate" in programs.said(name) for name in ("cp1", "cp2")), 10)
        check("a data plane without a certificate is refused", until("it is not in the fleet", lambda: both_are("connected", 1), 30))
        programs.kill("bare")

        # The token, and a certificate of another authority.
        forged = pods["dp2"].environment() | {
            name: stranger[name] for name in ("CCAG_GRPC_CLIENT_CERT", "CCAG_GRPC_CLIENT_KEY")}
        programs.start("forged", "dp2", [data], forged | credentials)
        until("who has another authority's is told so", lambda: "refused the certificate" in programs.said("forged"), 30)
        check("a data plane with another authority's certificate is refused", until("it is not in the fleet", lambda: both_are("connected", 1), 30))
        programs.kill("forged")
        start("dp2")
        until("the data plane is back", lambda: ready("dp2"))

        programs.kill("cp1")
        check("answers go on while a control plane is dead", answered("Say something.") is not None)
        until("people are served by the other", lambda: client.call("/admin/teams", token=token)[0] == 200, 30)
        programs.kill("dp1")
        until("answers go on while a data plane is dead as well", lambda: answered("Say something."), 20)
        before = int(ask_database("select count(*) from usage_records"))
        until("their usage arrives", lambda: int(ask_database("select count(*) from usage_records")) >= max(before, 23), 60)
        for name in ("cp1", "dp1"):
            start(name)
        for name in pods:
            until(f"{name} is ready again", lambda name=name: ready(name))
        check("what was killed comes back", until("both data planes are back", both))
    except BaseException:
        for name in programs.running:
            sys.stderr.write(f"---- {name}\n{programs.said(name)[-3000:]}\n")
        raise
    finally:
        programs.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="where the gateway's programs are")
    parser.add_argument("--postgres", required=True, help="where initdb and postgres are")
    args = parser.parse_args()
    networks = None
    with tempfile.TemporaryDirectory() as files:
        files = pathlib.Path(files)
        files.chmod(0o755)
        try:
            networks = Networks()
            body(args, files, networks)
        finally:
            if networks:
                networks.close()


if __name__ == "__main__":
    main()
