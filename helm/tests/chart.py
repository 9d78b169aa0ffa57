"""What has to hold of the chart: run by `cargo xtask test`, or alone with an interpreter that has Helm and the schemas."""

import base64
import copy
import functools
import ipaddress
import subprocess
import tempfile
import unittest

import helm_sdkpy
import kubernetes_validate
import yaml
from render import CHART, render

# Kinds that Kubernetes itself has no schema of.
OTHERS = {"Certificate", "Issuer", "HTTPRoute", "PrometheusRule", "ServiceMonitor"}

SECRETS = {
    "masterKey": "0" * 64,
    "joinToken": "a token",
    "databaseUrl": "postgres://ccag:pass@db/ccag",
}

BASE = {"secrets": SECRETS}


def merged(*many):
    whole = {}
    for one in many:
        for key, value in copy.deepcopy(one).items():
            if isinstance(value, dict) and isinstance(whole.get(key), dict):
                whole[key] = merged(whole[key], value)
            else:
                whole[key] = value
    return whole


# As people would install it.
SETS = {
    "trial": BASE,
    "existing secrets": {"secrets": {"existingSecret": "mine"}},
    "ingress with TLS": merged(
        BASE,
        {
            "publicUrl": "https://claude.example.com",
            "ingress": {
                "enabled": True,
                "className": "nginx",
                "host": "claude.example.com",
                "tlsSecret": "claude-tls",
                "annotations": {"nginx.ingress.kubernetes.io/proxy-read-timeout": "600"},
            },
            "trustedProxies": ["10.0.0.0/8"],
        },
    ),
    "gateway": merged(
        BASE,
        {"gateway": {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["claude.example.com"]}},
    ),
    "cert-manager": merged(BASE, {"planeTls": {"mode": "certManager"}}),
    "cert-manager with an issuer": merged(
        BASE, {"planeTls": {"mode": "certManager", "certManager": {"issuer": {"name": "corp", "kind": "ClusterIssuer"}}}}
    ),
    "own certificates": merged(
        BASE,
        {
            "planeTls": {
                "mode": "existing",
                "existing": {
                    "certificateSecret": "cert",
                    "caSecret": "ca",
                    "clientCertificateSecret": "client-cert",
                    "clientCaSecret": "client-ca",
                },
            }
        },
    ),
    "own certificates without those of data planes": merged(
        BASE,
        {
            "planeTls": {
                "mode": "existing",
                "clientCertificates": False,
                "existing": {"certificateSecret": "cert", "caSecret": "ca"},
            }
        },
    ),
    "no certificates of data planes": merged(BASE, {"planeTls": {"clientCertificates": False}}),
    "cert-manager without certificates of data planes": merged(
        BASE, {"planeTls": {"mode": "certManager", "clientCertificates": False}}
    ),
    "stateful": merged(
        BASE, {"dataPlane": {"kind": "StatefulSet", "spool": {"storageClass": "gp3", "size": "10Gi"}}}
    ),
    "volume claims": merged(BASE, {"dataPlane": {"spool": {"storageClass": "gp3"}}}),
    "roles of AWS": merged(
        BASE,
        {
            "awsRegion": "eu-central-1",
            "serviceAccount": {
                "dataPlane": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/data"}},
                "controlPlane": {"create": False, "name": "shared"},
            },
        },
    ),
    "monitored and fixed in size": merged(
        BASE,
        {
            "metrics": {
                "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
                "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
                "dashboards": {"enabled": True},
            },
            "dataPlane": {"autoscaling": {"enabled": False}, "replicas": 5, "podDisruptionBudget": {"enabled": False}},
            "networkPolicy": {"enabled": False},
            "topologySpread": {"enabled": False},
        },
    ),
    "everything set": merged(
        BASE,
        {
            "image": {"registry": "registry.example.com/ccag/", "tag": "1.2.3", "pullSecrets": [{"name": "pull"}]},
            "controlPlane": {
                "autoscaling": {"enabled": True},
                "env": {"CCAG_SESSION_TTL_HOURS": 8},
                "extraEnv": [{"name": "HTTPS_PROXY", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}}],
                "nodeSelector": {"kubernetes.io/arch": "arm64"},
                "tolerations": [{"key": "claude", "operator": "Exists"}],
                "podLabels": {"team": "platform"},
                "podAnnotations": {"note": "x"},
                "priorityClassName": "high",
            },
            "dataPlane": {"autoscaling": {"inFlight": 150}, "podAnnotations": {"note": "y"}},
            "networkPolicy": {
                "clients": [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}],
                "monitoring": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
                "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
            },
        },
    ),
}


@functools.cache
def rendered(name):
    return render(SETS[name])


def kinds(documents, kind):
    return [document for document in documents if document["kind"] == kind]


def plane(documents, name):
    found = [d for d in documents if d["kind"] in ("Deployment", "StatefulSet") and d["metadata"]["name"].endswith(name)]
    assert len(found) == 1, found
    return found[0]


def pod(documents, name):
    return plane(documents, name)["spec"]["template"]["spec"]


class Chart(unittest.TestCase):
    def test_every_set_of_values_gives_what_kubernetes_takes(self):
        for name in SETS:
            with self.subTest(name):
                documents = rendered(name)
                names = [(d["kind"], d["metadata"]["name"]) for d in documents]
                self.assertEqual(len(names), len(set(names)), names)
                for document in documents:
                    if document["kind"] not in OTHERS:
                        kubernetes_validate.validate(document, "1.33", strict=True)

    def test_pods_are_as_restricted_as_kubernetes_can_ask_for(self):
        for name in SETS:
            documents = rendered(name)
            for component in ("control-plane", "data-plane"):
                with self.subTest(f"{name}: {component}"):
                    spec = pod(documents, component)
                    self.assertTrue(spec["securityContext"]["runAsNonRoot"])
                    self.assertEqual(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault")
                    self.assertFalse(spec["automountServiceAccountToken"])
                    for container in spec["containers"]:
                        own = container["securityContext"]
                        self.assertFalse(own["allowPrivilegeEscalation"])
                        self.assertTrue(own["readOnlyRootFilesystem"])
                        self.assertEqual(own["capabilities"]["drop"], ["ALL"])
                        mounts = {mount["name"] for mount in container["volumeMounts"]}
                        claims = plane(documents, component)["spec"].get("volumeClaimTemplates", [])
                        volumes = {volume["name"] for volume in spec["volumes"]}
                        volumes |= {claim["metadata"]["name"] for claim in claims}
                        self.assertEqual(mounts, volumes)

    def test_a_stop_waits_for_streams(self):
        documents = render(merged(BASE, {"dataPlane": {"drainSeconds": 900, "drainNoticeSeconds": 20}}))
        self.assertEqual(pod(documents, "data-plane")["terminationGracePeriodSeconds"], 935)

    def test_no_secret_stands_in_a_pod_and_the_data_plane_has_only_its_own(self):
        documents = rendered("trial")
        for component in ("control-plane", "data-plane"):
            text = str(pod(documents, component))
            for secret in SECRETS.values():
                self.assertNotIn(secret, text)
        spec = pod(documents, "data-plane")
        secrets = next(volume for volume in spec["volumes"] if volume["name"] == "secrets")
        self.assertEqual([item["key"] for item in secrets["secret"]["items"]], ["join-token"])
        self.assertNotIn("DATABASE", str(spec))

    def test_paths_are_split_alike_by_ingress_and_gateway(self):
        wanted = ["/v1", "/api/hello", "/api/oauth/usage"]
        ingress = kinds(rendered("ingress with TLS"), "Ingress")[0]
        paths = ingress["spec"]["rules"][0]["http"]["paths"]
        to = {path["path"]: path["backend"]["service"]["name"] for path in paths}
        self.assertEqual(to, {**{path: "gate-ccag-data-plane" for path in wanted}, "/": "gate-ccag-control-plane"})
        rules = kinds(rendered("gateway"), "HTTPRoute")[0]["spec"]["rules"]
        self.assertEqual([match["path"]["value"] for match in rules[0]["matches"]], wanted)
        self.assertEqual(rules[0]["backendRefs"][0]["name"], "gate-ccag-data-plane")
        self.assertEqual(rules[1]["backendRefs"][0]["name"], "gate-ccag-control-plane")

    def test_only_data_planes_reach_the_way_between_the_planes(self):
        policies = kinds(rendered("trial"), "NetworkPolicy")
        control = next(p for p in policies if p["metadata"]["name"].endswith("control-plane"))
        grpc = [rule for rule in control["spec"]["ingress"] if rule["ports"][0]["port"] == 8082]
        self.assertEqual(len(grpc), 1)
        label = grpc[0]["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        self.assertEqual(label, "data-plane")

    def test_the_made_certificate_is_good_for_the_address_that_data_planes_call(self):
        documents = rendered("trial")
        secret = next(s for s in kinds(documents, "Secret") if s["metadata"]["name"].endswith("plane-tls"))
        env = {e["name"]: e.get("value") for e in pod(documents, "data-plane")["containers"][0]["env"]}
        host = env["CCAG_CONTROL_PLANE"].removeprefix("https://").split(":")[0]
        self.assertRaises(ValueError, ipaddress.ip_address, host)
        service = next(s for s in kinds(documents, "Service") if s["metadata"]["name"].endswith("control-plane"))
        self.assertEqual(host, f"{service['metadata']['name']}.claude.svc")
        with tempfile.TemporaryDirectory() as folder:
            for name in ("ca.crt", "tls.crt"):
                with open(f"{folder}/{name}", "wb") as file:
                    file.write(base64.b64decode(secret["data"][name]))
            subprocess.run(
                ["openssl", "verify", "-CAfile", f"{folder}/ca.crt", "-verify_hostname", host, f"{folder}/tls.crt"],
                check=True,
                capture_output=True,
            )

    def test_an_upgrade_keeps_the_certificate_that_is_there(self):
        held = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "gate-ccag-plane-tls", "namespace": "claude",
                         "labels": {"app.kubernetes.io/managed-by": "Helm"},
                         "annotations": {"meta.helm.sh/release-name": "gate", "meta.helm.sh/release-namespace": "claude"}},
            "data": {"ca.crt": "Y2E=", "tls.crt": "Y3J0", "tls.key": "a2V5"},
        }
        documents = render(BASE, {"/api/v1/namespaces/claude/secrets/gate-ccag-plane-tls": held})
        secret = next(s for s in kinds(documents, "Secret") if s["metadata"]["name"].endswith("plane-tls"))
        self.assertEqual(secret["data"], held["data"])

    def test_the_made_certificate_of_data_planes_is_one_for_clients_of_an_authority_of_their_own(self):
        secrets = {s["metadata"]["name"]: s["data"] for s in kinds(rendered("trial"), "Secret") if s["type"] == "Opaque" and "data" in s}
        server, client = secrets["gate-ccag-plane-tls"], secrets["gate-ccag-plane-client-tls"]
        self.assertNotEqual(server["ca.crt"], client["ca.crt"])
        with tempfile.TemporaryDirectory() as folder:
            for who, data in (("server", server), ("client", client)):
                for name in ("ca.crt", "tls.crt"):
                    with open(f"{folder}/{who}-{name}", "wb") as file:
                        file.write(base64.b64decode(data[name]))

            def verified(ca, certificate):
                command = ["openssl", "verify", "-purpose", "sslclient", "-CAfile", f"{folder}/{ca}-ca.crt", f"{folder}/{certificate}-tls.crt"]
                return subprocess.run(command, capture_output=True, check=False).returncode == 0

            self.assertTrue(verified("client", "client"))
            self.assertFalse(verified("client", "server"))
            self.assertFalse(verified("server", "client"))

    def test_an_upgrade_keeps_the_certificate_of_data_planes_that_is_there(self):
        held = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "gate-ccag-plane-client-tls", "namespace": "claude",
                         "labels": {"app.kubernetes.io/managed-by": "Helm"},
                         "annotations": {"meta.helm.sh/release-name": "gate", "meta.helm.sh/release-namespace": "claude"}},
            "data": {"ca.crt": "Y2E=", "tls.crt": "Y3J0", "tls.key": "a2V5"},
        }
        documents = render(BASE, {"/api/v1/namespaces/claude/secrets/gate-ccag-plane-client-tls": held})
        secret = next(s for s in kinds(documents, "Secret") if s["metadata"]["name"] == "gate-ccag-plane-client-tls")
        self.assertEqual(secret["data"], held["data"])

    def test_each_plane_has_of_the_certificates_what_it_needs_and_no_more(self):
        def mounted(documents, name):
            files = {}
            for volume in pod(documents, name)["volumes"]:
                if secret := volume.get("secret"):
                    files[volume["name"]] = (secret["secretName"], [item["key"] for item in secret["items"]])
            return files

        def variables(documents, name):
            return {e["name"]: e.get("value") for e in pod(documents, name)["containers"][0]["env"]}

        made = ("gate-ccag-plane-client-tls", "gate-ccag-plane-client-tls")
        for values, (certificate, authority) in [
            ("trial", made),
            ("cert-manager", made),
            ("cert-manager with an issuer", made),
            ("own certificates", ("client-cert", "client-ca")),
        ]:
            with self.subTest(values):
                documents = rendered(values)
                control, data = mounted(documents, "control-plane"), mounted(documents, "data-plane")
                self.assertEqual(control["plane-client-ca"], (authority, ["ca.crt"]))
                self.assertEqual(data["plane-client"], (certificate, ["tls.crt", "tls.key"]))
                self.assertEqual(data["plane-ca"][1], ["ca.crt"])
                self.assertEqual(variables(documents, "control-plane")["CCAG_GRPC_CLIENT_CA"], "/etc/ccag/plane-client-ca/ca.crt")
                shows = variables(documents, "data-plane")
                self.assertEqual(shows["CCAG_GRPC_CLIENT_CERT"], "/etc/ccag/plane-client/tls.crt")
                self.assertEqual(shows["CCAG_GRPC_CLIENT_KEY"], "/etc/ccag/plane-client/tls.key")
        for values in (
            "no certificates of data planes",
            "cert-manager without certificates of data planes",
            "own certificates without those of data planes",
        ):
            with self.subTest(values):
                documents = rendered(values)
                self.assertNotIn("CCAG_GRPC_CLIENT", str(documents))
                self.assertNotIn("plane-client", str(documents))

    def test_cert_manager_signs_for_data_planes_what_is_good_for_clients_alone(self):
        for values, issuer in [
            ("cert-manager", {"name": "gate-ccag-plane-tls", "kind": "Issuer"}),
            ("cert-manager with an issuer", {"name": "corp", "kind": "ClusterIssuer"}),
        ]:
            made = {c["metadata"]["name"]: c["spec"] for c in kinds(rendered(values), "Certificate")}
            client, server = made["gate-ccag-plane-client-tls"], made["gate-ccag-plane-tls"]
            self.assertEqual((client["usages"], server["usages"]), (["client auth"], ["server auth"]))
            self.assertEqual(client["issuerRef"], issuer)
            self.assertEqual(client["secretName"], "gate-ccag-plane-client-tls")

    def test_alerts_and_dashboards_are_the_files_themselves(self):
        documents = rendered("monitored and fixed in size")
        rule = kinds(documents, "PrometheusRule")[0]
        self.assertEqual(rule["metadata"]["labels"]["release"], "prometheus")
        self.assertEqual(rule["spec"], yaml.safe_load((CHART / "files/alerts.yml").read_text()))
        self.assertGreater(len(rule["spec"]["groups"][0]["rules"]), 10)
        dashboards = kinds(documents, "ConfigMap")[0]
        self.assertEqual(dashboards["metadata"]["labels"]["grafana_dashboard"], "1")
        files = {f"ccag-{path.name}": path.read_text() for path in (CHART / "files/dashboards").iterdir()}
        self.assertEqual(dashboards["data"], files)
        self.assertEqual(kinds(rendered("trial"), "PrometheusRule") + kinds(rendered("trial"), "ConfigMap"), [])

    def test_what_is_missing_or_misspelt_is_refused_with_words(self):
        for values, word in [
            ({}, "masterKey"),
            (merged(BASE, {"secrets": {"databaseUrl": ""}}), "databaseUrl"),
            (merged(BASE, {"ingress": {"enabled": True}}), "ingress.host"),
            (merged(BASE, {"gateway": {"enabled": True}}), "parentRefs"),
            (merged(BASE, {"planeTls": {"mode": "existing"}}), "planeTls.existing"),
            (merged(BASE, {"planeTls": {"mode": "existing", "existing": {"certificateSecret": "cert", "caSecret": "ca"}}}), "clientCertificateSecret"),
            (merged(BASE, {"planeTls": {"mode": "none"}}), "mode"),
            (merged(BASE, {"dataPlane": {"replica": 3}}), "replica"),
            (merged(BASE, {"dataPlane": {"replicas": "three"}}), "replicas"),
            (merged(BASE, {"publicUrl": "claude.example.com"}), "publicUrl"),
        ]:
            with self.subTest(word):
                with self.assertRaises(helm_sdkpy.exceptions.InstallError) as refused:
                    render(values)
                self.assertIn(word, str(refused.exception))


if __name__ == "__main__":
    unittest.main()
