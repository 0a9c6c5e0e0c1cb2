{{/* What the pods of both components have in common; each from (dict "root" $ "component" "speaker"). */}}

{{- define "herald.podAnnotations" -}}
kubectl.kubernetes.io/default-container: {{ .component }}
{{- if and .root.Values.prometheus.scrapeAnnotations .root.Values.prometheus.metricsPort }}
prometheus.io/scrape: "true"
prometheus.io/port: {{ .root.Values.prometheus.metricsPort | quote }}
prometheus.io/scheme: https
{{- end }}
{{- with (index .root.Values .component).podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Fields of the pod's spec that come straight from the values. */}}
{{- define "herald.podSpec" -}}
{{- $values := index .root.Values .component -}}
serviceAccountName: {{ include "herald.serviceAccount" . }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
nodeSelector:
  kubernetes.io/os: linux
  {{- with $values.nodeSelector }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "herald.program" -}}
{{- $values := index .root.Values .component -}}
image: {{ include "herald.image" . }}
{{- with $values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
{{- with $values.command }}
command:
  - {{ . }}
{{- end }}
{{- end }}

{{/* Flags that controller and speaker share. */}}
{{- define "herald.flags" -}}
{{- $values := index .root.Values .component -}}
- --port={{ .root.Values.prometheus.metricsPort }}
- --log-level={{ $values.logLevel }}
{{- with .root.Values.loadBalancerClass }}
- --lb-class={{ . }}
{{- end }}
{{- if ne (int $values.livenessProbe.port) 17472 }}
- --health-probe-port={{ $values.livenessProbe.port }}
{{- end }}
{{- with .root.Values.tls.cipherSuites }}
- --tls-cipher-suites={{ . }}
{{- end }}
{{- with .root.Values.tls.curvePreferences }}
- --tls-curve-preferences={{ . }}
{{- end }}
{{- with .root.Values.tls.minVersion }}
- --tls-min-version={{ . }}
{{- end }}
{{- if index .root.Values.tls (printf "%sMetricsTLSSecret" .component) }}
- --metrics-cert-dir=/etc/metrics
{{- end }}
{{- end }}

{{/* The probes; the speaker's health port is on 127.0.0.1 of its node only. */}}
{{- define "herald.probes" -}}
{{- $host := ternary "127.0.0.1" "" (eq .component "speaker") -}}
{{- $values := index .root.Values .component -}}
{{- range $probe, $path := dict "livenessProbe" "/healthz" "readinessProbe" "/readyz" }}
{{- $settings := index $values $probe }}
{{- if $settings.enabled }}
{{ $probe }}:
  httpGet:
    path: {{ $path }}
    port: {{ $settings.port }}
    {{- with $host }}
    host: {{ . }}
    {{- end }}
  initialDelaySeconds: {{ $settings.initialDelaySeconds }}
  periodSeconds: {{ $settings.periodSeconds }}
  timeoutSeconds: {{ $settings.timeoutSeconds }}
  successThreshold: {{ $settings.successThreshold }}
  failureThreshold: {{ $settings.failureThreshold }}
{{- end }}
{{- end }}
{{- with $values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "herald.metricsMount" -}}
{{- if index .root.Values.tls (printf "%sMetricsTLSSecret" .component) }}
- name: metrics-certs
  mountPath: /etc/metrics
  readOnly: true
{{- end }}
- name: tmp
  mountPath: /tmp
{{- end }}

{{- define "herald.metricsVolume" -}}
{{- with index .root.Values.tls (printf "%sMetricsTLSSecret" .component) }}
- name: metrics-certs
  secret:
    secretName: {{ . }}
{{- end }}
- name: tmp
  emptyDir:
    medium: Memory
    sizeLimit: 16Mi
{{- end }}

{{/* The TCP ports of speaker.bgpListen, each once, as JSON. */}}
{{- define "herald.bgpPorts" -}}
{{- $ports := list -}}
{{- range .Values.speaker.bgpListen -}}
{{- $ports = append $ports (regexFind "[0-9]+$" . | int) -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end }}

{{/* "true" if one of them takes the capability NET_BIND_SERVICE. */}}
{{- define "herald.bgpPortIsLow" -}}
{{- range include "herald.bgpPorts" . | fromJsonArray -}}
{{- if lt (int .) 1024 }}true{{ end -}}
{{- end -}}
{{- end }}
