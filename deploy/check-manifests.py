"""Checks what no other tool of lint-deploy does, offline: deploy/check-manifests.py

- Kubernetes manifests against the schemas of several Kubernetes versions (kubernetes-validate), as kustomize would emit
  them: with the labels and the image's name put in. No manifest is forgotten in the kustomization.
- That the times of a drain fit into each other: preStop, grace and deadline into Kubernetes', compose's and systemd's.
- The InferencePool has the fields of its reference (https://gateway-api-inference-extension.sigs.k8s.io/reference/spec/), and
  its selector and port are those of the replicas; Redis' name and port are those in the settings.
- Every alert has a section of its name in docs/operations.md.
- Alerts and dashboard name only series that docs/metrics.md describes, and every query of the dashboard is valid PromQL.
- Files that compose mounts exist.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import kubernetes_validate
import yaml

DEPLOY = Path(__file__).resolve().parent
KUBERNETES = DEPLOY / "kubernetes"
KUBERNETES_VERSIONS = ("1.27", "1.30", "1.33")
# Custom resources, whose schemas are not Kubernetes' own.
CUSTOM = {"ServiceMonitor", "InferencePool", "HTTPRoute"}
# What the server may take to write sessions at its end, in seconds (InferenceEngine.lastWrites, twice).
LAST_WRITES = 20

problems: list[str] = []
# One name for each manifest and version of Kubernetes that it is right for.
validations: list[str] = []


def seconds(text: str | int) -> float:
    """The seconds of `120s`, `2m` or a plain number."""
    number, unit = re.fullmatch(r"([0-9.]+)(ms|s|m|h)?", str(text)).groups()
    return float(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600, None: 1}[unit]


def drain(path: Path) -> float:
    """How long the server with these settings may take from SIGTERM to its end, in seconds."""
    shutdown = yaml.safe_load(path.read_text())["shutdown"]
    return seconds(shutdown["grace"]) + seconds(shutdown["deadline"]) + LAST_WRITES


def emitted(document: dict, labels: dict) -> dict:
    """The manifest with the kustomization's labels where kustomize puts them."""
    document["metadata"].setdefault("labels", {}).update(labels)
    spec = document["spec"]
    match document["kind"]:
        case "Deployment":
            spec["selector"] = {"matchLabels": labels}
            spec["template"]["metadata"]["labels"] = labels
        case "Service":
            spec["selector"] = labels
        case "PodDisruptionBudget":
            spec["selector"]["matchLabels"] = labels
        case "NetworkPolicy":
            spec["podSelector"]["matchLabels"] = labels
    return document


def check_kustomization(folder: Path) -> list[dict]:
    """Checks the manifests of a folder; returns them as kustomize emits them."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    place = folder.relative_to(DEPLOY)
    listed = set(kustomization["resources"])
    generators = kustomization.get("configMapGenerator", [])
    used = listed | {name for generator in generators for name in generator["files"]}
    there = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    for name in sorted(used ^ there):
        problems.append(f"{place}/{name}: in the folder and not in kustomization.yaml, or the other way round")
    labels = {key: value for entry in kustomization["labels"] for key, value in entry["pairs"].items()}
    documents = [
        (name, emitted(document, labels))
        for name in sorted(listed & there)
        for document in yaml.safe_load_all((folder / name).read_text())
    ]
    for name, document in documents:
        if document["kind"] in CUSTOM:
            continue
        for version in KUBERNETES_VERSIONS:
            try:
                kubernetes_validate.validate(document, version, strict=True)
                validations.append(name)
            except kubernetes_validate.ValidationError as error:
                path = ".".join(str(part) for part in error.path)
                problems.append(f"{place}/{name}: {document['kind']} {path}: {error.message} ({version})")
    return [document for _, document in documents]


def of_kind(documents: list[dict], kind: str) -> dict:
    return next(document for document in documents if document["kind"] == kind)


def check_redis(replicas: list[dict], redis: list[dict]) -> None:
    """That the replicas look for Redis where it is, and may reach it."""
    settings = yaml.safe_load((KUBERNETES / "config.yaml").read_text())["sessions"]["redis"]
    service = of_kind(redis, "Service")
    port = settings.get("port", 6379)
    if settings["host"] != service["metadata"]["name"] or port != service["spec"]["ports"][0]["port"]:
        problems.append("kubernetes/config.yaml: sessions.redis names another Service than kubernetes/redis/service.yaml has")
    labels = service["spec"]["selector"]
    egress = of_kind(replicas, "NetworkPolicy")["spec"]["egress"]
    targets = [(to["podSelector"]["matchLabels"], p["port"]) for r in egress for to in r["to"] if "podSelector" in to for p in r["ports"]]
    if (labels, port) not in targets:
        problems.append("kubernetes/networkpolicy.yaml: the replicas may not reach Redis")
    ingress = of_kind(redis, "NetworkPolicy")["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"]
    if ingress != of_kind(replicas, "Deployment")["spec"]["template"]["metadata"]["labels"]:
        problems.append("kubernetes/redis/networkpolicy.yaml: lets others in than the replicas")


def check_pool(replicas: list[dict], inference: list[dict]) -> None:
    """What the custom resource's schema would say, and that the pool is that of the replicas."""
    where = "kubernetes/inference/inferencepool.yaml"
    pool = of_kind(inference, "InferencePool")
    spec = pool["spec"]
    fields = {
        "": (spec, {"selector", "targetPorts", "endpointPickerRef"}, {"appProtocol"}),
        "selector": (spec.get("selector", {}), {"matchLabels"}, set()),
        "endpointPickerRef": (spec.get("endpointPickerRef", {}), {"name"}, {"group", "kind", "port", "failureMode"}),
    }
    for name, (section, required, optional) in fields.items():
        for wrong in sorted(required - set(section)) + sorted(set(section) - required - optional):
            problems.append(f"{where}: spec.{name}: {wrong} is missing or unknown")
    if pool["apiVersion"] != "inference.networking.k8s.io/v1":
        problems.append(f"{where}: apiVersion")
    picker = spec["endpointPickerRef"]
    if picker.get("failureMode", "FailClose") not in {"FailOpen", "FailClose"}:
        problems.append(f"{where}: failureMode is FailOpen or FailClose")
    # A Service needs to be told at which port.
    if picker.get("kind", "Service") == "Service" and not 1 <= picker.get("port", {}).get("number", 0) <= 65535:
        problems.append(f"{where}: endpointPickerRef.port.number")
    template = of_kind(replicas, "Deployment")["spec"]["template"]
    ports = [{"number": port["containerPort"]} for port in template["spec"]["containers"][0]["ports"]]
    if spec["targetPorts"] != ports or spec["selector"]["matchLabels"] != template["metadata"]["labels"]:
        problems.append(f"{where}: ports and labels are not those of the replicas ({ports}, {template['metadata']['labels']})")
    for rule in of_kind(inference, "HTTPRoute")["spec"]["rules"]:
        for backend in rule["backendRefs"]:
            if (backend["group"], backend["kind"], backend["name"]) != (
                pool["apiVersion"].split("/")[0], "InferencePool", pool["metadata"]["name"]
            ):
                problems.append("kubernetes/inference/httproute.yaml: a backend that is not the pool")


def check_kubernetes() -> None:
    documents = check_kustomization(KUBERNETES)
    check_redis(documents, check_kustomization(KUBERNETES / "redis"))
    check_pool(documents, check_kustomization(KUBERNETES / "inference"))
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    pod = of_kind(documents, "Deployment")["spec"]["template"]["spec"]
    maps = {generator["name"] for generator in kustomization["configMapGenerator"]}
    for volume in pod["volumes"]:
        if volume["configMap"]["name"] not in maps:
            problems.append(f"kubernetes/deployment.yaml: no configMapGenerator makes {volume['configMap']['name']}")
    sleep = seconds(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][-1])
    longest = sleep + drain(KUBERNETES / "config.yaml")
    if pod["terminationGracePeriodSeconds"] <= longest:
        problems.append(f"kubernetes/deployment.yaml: terminationGracePeriodSeconds must be more than {longest}")
    print(
        f"kubernetes: {len(validations)} validations by schema; a drain takes {longest:.0f} s at most"
    )


def check_compose_and_systemd() -> None:
    longest = drain(DEPLOY / "container" / "config.yaml")
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for name, service in compose["services"].items():
        if name.startswith("catena") and seconds(service["stop_grace_period"]) <= longest:
            problems.append(f"compose.yaml: {name}.stop_grace_period must be more than {longest} s")
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith(".") and not (DEPLOY / source).exists():
                problems.append(f"compose.yaml: {name} mounts {source}, which does not exist")
        for dependency in service.get("depends_on", []):
            if dependency not in compose["services"]:
                problems.append(f"compose.yaml: {name} depends on {dependency}, which does not exist")
    unit = (DEPLOY / "systemd" / "catena.service").read_text()
    if int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)[1]) <= longest:
        problems.append(f"systemd/catena.service: TimeoutStopSec must be more than {longest}")


def check_runbook() -> None:
    alerts = set(re.findall(r"alert: (\w+)", (DEPLOY / "prometheus" / "alerts.yml").read_text()))
    sections = set(re.findall(r"^### (Catena\w+)$", (DEPLOY.parent / "docs" / "operations.md").read_text(), re.MULTILINE))
    for name in sorted(alerts ^ sections):
        problems.append(f"prometheus/alerts.yml: {name} is an alert or a section of docs/operations.md, and not both")
    print(f"runbook: {len(alerts)} alerts")


def check_series(promtool: str) -> None:
    described = set(re.findall(r"`((?:catena_|vllm:)\w+)`", (DEPLOY.parent / "docs" / "metrics.md").read_text()))
    recorded = set(re.findall(r"record: (\S+)", (DEPLOY / "prometheus" / "rules.yml").read_text()))
    dashboard = json.loads((DEPLOY / "grafana" / "catena.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    sources = {
        "grafana/catena.json": queries
        + [v["definition"] for v in dashboard["templating"]["list"] if "definition" in v],
        "prometheus": [(DEPLOY / "prometheus" / name).read_text() for name in ("rules.yml", "alerts.yml")],
        "kubernetes/autoscaler.yaml": re.findall(r"name: (catena_\w+)", (KUBERNETES / "autoscaler.yaml").read_text()),
    }
    for source, texts in sources.items():
        for name in sorted({name for text in texts for name in re.findall(r"\bcatena[_:][\w:]*\w", text)}):
            plain = re.sub(r"_(bucket|count|sum)$", "", name)
            if name not in described | recorded and plain not in described:
                problems.append(f"{source}: {name} is no series of docs/metrics.md and no recording rule")
    ids = [panel["id"] for panel in dashboard["panels"]]
    if len(ids) != len(set(ids)):
        problems.append("grafana/catena.json: panels share an id")
    # promtool checks queries as the rules that they could be, with the dashboard's variables given values.
    rules = [
        {"record": f"dashboard:query:{number}", "expr": expression.replace("$__rate_interval", "1m")}
        for number, expression in enumerate(queries)
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
        file.flush()
        result = subprocess.run([promtool, "check", "rules", file.name], capture_output=True, text=True, check=False)
    if result.returncode:
        problems.append(f"grafana/catena.json: {result.stdout}{result.stderr}")
    print(f"series: {len(described)} described; the dashboard's {len(queries)} queries are PromQL")


check_kubernetes()
check_compose_and_systemd()
check_runbook()
check_series(sys.argv[1] if len(sys.argv) > 1 else "promtool")
for problem in problems:
    print(f"deploy/{problem}", file=sys.stderr)
sys.exit(bool(problems))
