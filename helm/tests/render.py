"""Renders the chart with Helm itself.

Helm comes as a library (PyPI `helm-sdkpy`). It renders what it installs, so it is given something to install into: a server that
answers as much of the Kubernetes API as an installation asks for. What was rendered stands in the release that Helm writes
down there.
"""

import asyncio
import base64
import gzip
import http.server
import json
import pathlib
import re
import tempfile
import threading

import helm_sdkpy
import yaml

CHART = pathlib.Path(__file__).resolve().parent.parent / "ccag"

# The kinds of the chart, by API group.
KINDS = {
    "v1": ["ConfigMap", "Secret", "Service", "ServiceAccount", "Namespace"],
    "apps/v1": ["Deployment", "StatefulSet"],
    "autoscaling/v2": ["HorizontalPodAutoscaler"],
    "policy/v1": ["PodDisruptionBudget"],
    "networking.k8s.io/v1": ["Ingress", "NetworkPolicy"],
    "cert-manager.io/v1": ["Certificate", "Issuer"],
    "gateway.networking.k8s.io/v1": ["HTTPRoute"],
    "monitoring.coreos.com/v1": ["PrometheusRule", "ServiceMonitor"],
}

PLURALS = {"Ingress": "ingresses", "NetworkPolicy": "networkpolicies"}


class Cluster(http.server.BaseHTTPRequestHandler):
    """As much of a cluster as Helm needs: it takes everything, and has what was put into `held`."""

    protocol_version = "HTTP/1.1"
    releases: list = []
    held: dict = {}

    def log_message(self, *_):
        pass

    def answer(self, body, status=200):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/version":
            return self.answer({"major": "1", "minor": "33", "gitVersion": "v1.33.0"})
        if path == "/api":
            return self.answer({"kind": "APIVersions", "versions": ["v1"]})
        if path == "/apis":
            groups = []
            for version in KINDS:
                if "/" in version:
                    name = version.split("/")[0]
                    one = {"groupVersion": version, "version": version.split("/")[1]}
                    groups.append({"name": name, "versions": [one], "preferredVersion": one})
            return self.answer({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        version = path.removeprefix("/api/").removeprefix("/apis/")
        if version in KINDS:
            resources = [
                {
                    "name": PLURALS.get(kind, kind.lower() + "s"),
                    "singularName": kind.lower(),
                    "namespaced": kind != "Namespace",
                    "kind": kind,
                    "verbs": ["create", "get", "list", "patch", "update", "delete"],
                }
                for kind in KINDS[version]
            ]
            return self.answer({"kind": "APIResourceList", "groupVersion": version, "resources": resources})
        if path in self.held:
            return self.answer(self.held[path])
        if path.endswith("/secrets"):
            return self.answer({"kind": "SecretList", "apiVersion": "v1", "items": []})
        self.missing()

    def missing(self):
        self.answer({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}, 404)

    def taken(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("content-type", "").endswith("protobuf"):
            # Helm's own release. What it holds is text in base 64, whatever it is packed in.
            packed = re.search(rb"H4sI[A-Za-z0-9+/]+=*", body)
            if packed:
                type(self).releases.append(packed.group())
            return self.answer({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "release"}}, 201)
        # A change of what is there is answered with the whole of it.
        self.answer(self.held.get(self.path.split("?")[0]) or json.loads(body or b"{}"), 201)

    do_POST = do_PUT = do_PATCH = taken

    def do_DELETE(self):
        self.missing()


def render(values, held=None):
    """The documents that Helm makes of the chart with these values; `held` is what the cluster has already, by path.

    Raises what Helm says if it refuses.
    """
    Cluster.releases, Cluster.held = [], held or {}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cluster)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
            address = f"http://127.0.0.1:{server.server_address[1]}"
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "c", "cluster": {"server": address}}],
                    "users": [{"name": "u", "user": {}}],
                    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                    "current-context": "x",
                },
                config,
            )
            config.flush()
            configuration = helm_sdkpy.Configuration(namespace="claude", kubeconfig=config.name)
            install = helm_sdkpy.Install(configuration)
            asyncio.run(install.run("gate", str(CHART), values=values, wait=False))
        manifest = json.loads(gzip.decompress(base64.b64decode(Cluster.releases[-1])))["manifest"]
        return [document for document in yaml.safe_load_all(manifest) if document]
    finally:
        server.shutdown()
        server.server_close()
