{{/* What things are called, and how pods are chosen. */}}

{{/* "chart": as MetalLB's chart does it; "manifests": as MetalLB's manifests do. */}}
{{- define "herald.style" -}}
{{- if or .Values.metallbChartNames .Values.nameOverride .Values.fullnameOverride }}chart{{ else }}manifests{{ end }}
{{- end }}

{{- define "herald.name" -}}
{{- default "metallb" .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "herald.fullname" -}}
{{- $name := include "herald.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* The name of a namespaced object, from (dict "root" $ "name" "controller"). */}}
{{- define "herald.object" -}}
{{- if eq (include "herald.style" .root) "chart" }}{{ include "herald.fullname" .root }}-{{ .name }}{{ else }}{{ .name }}{{ end }}
{{- end }}

{{/* The name of a cluster-wide object, likewise. */}}
{{- define "herald.clusterObject" -}}
{{- if eq (include "herald.style" .root) "chart" }}{{ include "herald.fullname" .root }}{{ else }}{{ .root.Release.Namespace }}{{ end }}:{{ .name }}
{{- end }}

{{/* The name of the service account, from (dict "root" $ "component" "speaker"). */}}
{{- define "herald.serviceAccount" -}}
{{- $account := (index .root.Values .component).serviceAccount }}
{{- if $account.create }}
{{- default (include "herald.object" (dict "root" .root "name" .component)) $account.name }}
{{- else }}
{{- default "default" $account.name }}
{{- end }}
{{- end }}

{{- define "herald.memberlistSecret" -}}
{{- default (include "herald.object" (dict "root" . "name" "memberlist")) .Values.speaker.secretName | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "herald.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "herald.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app: metallb
{{- end }}

{{/* What chooses the pods of a component. A Deployment's and a DaemonSet's cannot be changed. */}}
{{- define "herald.selector" -}}
{{- if eq (include "herald.style" .root) "chart" -}}
app.kubernetes.io/name: {{ include "herald.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- else -}}
app: metallb
component: {{ .component }}
{{- end }}
{{- end }}

{{/* Labels of the pods: those of both styles, so that `kubectl logs -l component=speaker` finds them in either. */}}
{{- define "herald.podLabels" -}}
app: metallb
component: {{ .component }}
app.kubernetes.io/name: {{ include "herald.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with (index .root.Values .component).labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* How speakers find each other; during an upgrade from MetalLB also those of MetalLB. */}}
{{- define "herald.memberLabels" -}}
{{- if eq (include "herald.style" .) "chart" -}}
app.kubernetes.io/name={{ include "herald.name" . }},app.kubernetes.io/component=speaker
{{- else -}}
app=metallb,component=speaker
{{- end }}
{{- end }}

{{- define "herald.image" -}}
{{- $image := (index .root.Values .component).image }}
{{- printf "%s:%s" $image.repository (default .root.Chart.AppVersion $image.tag) }}
{{- end }}

{{- define "herald.hasWebhooks" -}}
{{- if and .Values.controller.enabled (ne .Values.controller.webhookMode "disabled") }}true{{ end }}
{{- end }}
