{{- define "ccag.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* The labels by which pods are chosen: (dict "root" $ "plane" NAME) */}}
{{- define "ccag.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .plane }}
{{- end }}

{{- define "ccag.labels" -}}
{{ include "ccag.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "ccag.image" -}}
{{- $name := printf "ccag-%s:%s" .plane (.root.Values.image.tag | default .root.Chart.AppVersion) -}}
{{- with .root.Values.image.registry }}{{ trimSuffix "/" . }}/{{ end }}{{ $name }}
{{- end }}

{{- define "ccag.secretName" -}}
{{- .Values.secrets.existingSecret | default (include "ccag.fullname" .) -}}
{{- end }}

{{- define "ccag.serviceAccount" -}}
{{- $account := ternary .root.Values.serviceAccount.controlPlane .root.Values.serviceAccount.dataPlane (eq .plane "control-plane") -}}
{{- if $account.create }}{{ $account.name | default (printf "%s-%s" (include "ccag.fullname" .root) .plane) }}{{ else }}{{ $account.name | default "default" }}{{ end -}}
{{- end }}

{{- define "ccag.grpcHost" -}}
{{ include "ccag.fullname" . }}-control-plane.{{ .Release.Namespace }}.svc
{{- end }}

{{- define "ccag.certificateSecret" -}}
{{- if eq .Values.planeTls.mode "existing" }}{{ required "planeTls.existing.certificateSecret names a Secret with tls.crt and tls.key" .Values.planeTls.existing.certificateSecret }}{{ else }}{{ include "ccag.fullname" . }}-plane-tls{{ end -}}
{{- end }}

{{- define "ccag.caSecret" -}}
{{- if eq .Values.planeTls.mode "existing" }}{{ required "planeTls.existing.caSecret names a Secret with ca.crt" .Values.planeTls.existing.caSecret }}{{ else }}{{ include "ccag.fullname" . }}-plane-tls{{ end -}}
{{- end }}

{{- define "ccag.clientCertificateSecret" -}}
{{- if eq .Values.planeTls.mode "existing" }}{{ required "planeTls.existing.clientCertificateSecret names a Secret with tls.crt and tls.key of data planes, unless planeTls.clientCertificates is false" .Values.planeTls.existing.clientCertificateSecret }}{{ else }}{{ include "ccag.fullname" . }}-plane-client-tls{{ end -}}
{{- end }}

{{- define "ccag.clientCaSecret" -}}
{{- if eq .Values.planeTls.mode "existing" }}{{ required "planeTls.existing.clientCaSecret names a Secret with ca.crt, of whoever signs certificates of data planes, unless planeTls.clientCertificates is false" .Values.planeTls.existing.clientCaSecret }}{{ else }}{{ include "ccag.fullname" . }}-plane-client-tls{{ end -}}
{{- end }}

{{- define "ccag.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "ccag.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Of both planes: on the ops port. */}}
{{- define "ccag.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: ops}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: ops}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: ops}
  periodSeconds: 3
  timeoutSeconds: 3
  failureThreshold: 2
{{- end }}

{{/* What is set by the user: a map, and a list of whole entries. */}}
{{- define "ccag.env" -}}
{{- range $name, $value := .env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- with .extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "ccag.placement" -}}
{{- with .plane.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .plane.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .plane.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .plane.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if .root.Values.topologySpread.enabled }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: {{ $.root.Values.topologySpread.whenUnsatisfiable }}
    labelSelector:
      matchLabels: {{- include "ccag.selector" (dict "root" $.root "plane" $.name) | nindent 8 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Paths of inference: the data planes'. */}}
{{- define "ccag.dataPaths" -}}
/v1
/api/hello
/api/oauth/usage
{{- end }}
