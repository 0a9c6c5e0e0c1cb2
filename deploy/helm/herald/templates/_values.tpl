{{/* Values that do not exist, with what may have been meant; and values that contradict each other. */}}

{{/* Every path of a tree of known names, one a line, from (dict "known" tree "path" ""). */}}
{{- define "herald.paths" -}}
{{- range $name, $below := .known }}
{{ $.path }}{{ $name }}
{{- if $below }}{{ include "herald.paths" (dict "known" $below "path" (printf "%s%s." $.path $name)) }}{{ end }}
{{- end }}
{{- end }}

{{/* How many letters differ (Levenshtein), from (list "one" "other"). */}}
{{- define "herald.distance" -}}
{{- $other := splitList "" (lower (index . 1)) }}
{{- $above := untilStep 0 (int (add 1 (len $other))) 1 }}
{{- range $row, $letter := splitList "" (lower (index . 0)) }}
{{- $line := list (add 1 $row) }}
{{- range $column, $against := $other }}
{{- $change := add (index $above $column) (ternary 0 1 (eq $letter $against)) }}
{{- $line = append $line (min $change (add 1 (index $above (int (add 1 $column)))) (add 1 (index $line $column))) }}
{{- end }}
{{- $above = $line }}
{{- end }}
{{- last $above }}
{{- end }}

{{/* `; did you mean X?` for an unknown name, or nothing, from (dict "name" … "path" … "siblings" … "root" tree). */}}
{{- define "herald.suggestion" -}}
{{- $paths := include "herald.paths" (dict "known" .root "path" "") | trim | splitList "\n" }}
{{- $found := "" }}
{{- $least := int (add 1 (max 2 (div (len .name) 3))) }}
{{- range $sibling := keys .siblings | sortAlpha }}
{{- /* A name cut short counts as one letter away. */}}
{{- $cut := and (ge (len $.name) 3) (hasPrefix (lower $.name) (lower $sibling)) }}
{{- $distance := $cut | ternary 1 (int (include "herald.distance" (list $.name $sibling))) }}
{{- if lt $distance $least }}{{ $least = $distance }}{{ $found = printf "%s%s" $.path $sibling }}{{ end }}
{{- end }}
{{- if not $found }}
{{- $closest := -1 }}
{{- range $path := $paths }}
{{- $parts := splitList "." $path }}
{{- if eq (lower (last $parts)) (lower $.name) }}
{{- /* The same name elsewhere: the place that begins as what was written does. */}}
{{- $shared := ternary 1 0 (eq (first $parts) (first (splitList "." $.path))) }}
{{- if gt $shared $closest }}{{ $closest = $shared }}{{ $found = $path }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- with $found }}; did you mean {{ . }}?{{ end }}
{{- end }}

{{/* Names that MetalLB's chart had once, and what is right now. */}}
{{- define "herald.retired" -}}
configInline: "it went with MetalLB 0.13: write IPAddressPools and advertisements instead"
existingConfigMap: "it went with MetalLB 0.13: write IPAddressPools and advertisements instead"
psp: "PodSecurityPolicies are gone from Kubernetes: remove it, and label the namespace (see the notes after installing)"
prometheus.rbacProxy: "Herald serves its metrics by HTTPS itself: remove it"
prometheus.secureMetricsPort: "Herald serves its metrics by HTTPS itself: remove it, or set prometheus.metricsPort"
prometheus.controllerMetricsTLSSecret: "it is tls.controllerMetricsTLSSecret now"
prometheus.speakerMetricsTLSSecret: "it is tls.speakerMetricsTLSSecret now"
speaker.frr.secureMetricsPort: "there is no FRR container: remove it"
validationFailurePolicy: "it is crds.validationFailurePolicy now"
{{- end }}

{{/* A line for each value that nobody knows, from (dict "values" … "known" … "path" … "root" tree). */}}
{{- define "herald.unknown" -}}
{{- $retired := include "herald.retired" . | fromYaml }}
{{- range $name, $value := .values }}
{{- $path := printf "%s%s" $.path $name }}
{{- if not (hasKey $.known $name) }}
{{- if hasKey $retired $path }}
value {{ $path }}: {{ get $retired $path }}
{{- else }}
unknown value {{ $path }}{{ include "herald.suggestion" (dict "name" $name "path" $.path "siblings" $.known "root" $.root) }}
{{- end }}
{{- else }}
{{- $below := get $.known $name }}
{{- if and $below (kindIs "map" $value) }}
{{- include "herald.unknown" (dict "values" $value "known" $below "path" (printf "%s." $path) "root" $.root) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* How many seconds a text of the schema's `interval` is: a number, or parts such as 1h30m. */}}
{{- define "herald.seconds" -}}
{{- $sum := 0.0 }}
{{- if regexMatch "^[0-9]+$" . }}{{ $sum = float64 . }}{{ end }}
{{- range regexFindAll "[0-9.]+(ms|s|m|h)" . -1 }}
{{- $unit := get (dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0) (regexFind "[a-z]+" .) }}
{{- $sum = addf $sum (mulf (regexFind "[0-9.]+" .) $unit) }}
{{- end }}
{{- $sum }}
{{- end }}

{{/* A line for each contradiction. */}}
{{- define "herald.contradictions" -}}
{{- $prometheus := .Values.prometheus }}
{{- $monitored := or $prometheus.podMonitor.enabled $prometheus.serviceMonitor.enabled }}
{{- if .Values.speaker.frr.enabled }}
speaker.frr.enabled=true: Herald speaks BGP itself and starts no FRR. Set it to false; BGPPeers and advertisements stay as they are
{{- end }}
{{- if or .Values.frrk8s.enabled .Values.frrk8s.external }}
frrk8s.{{ ternary "enabled" "external" .Values.frrk8s.enabled }}=true: Herald speaks BGP itself and writes no FRRConfigurations. Set it to false; what you have written into FRRConfigurations of your own has no effect on Herald's sessions
{{- end }}
{{- if and $prometheus.podMonitor.enabled $prometheus.serviceMonitor.enabled }}
prometheus.podMonitor.enabled and prometheus.serviceMonitor.enabled: everything would be scraped twice. Set one of them to false
{{- end }}
{{- if and $monitored (not $prometheus.metricsPort) }}
prometheus.metricsPort=0: there are no metrics to scrape. Set the port, or switch the monitor off
{{- end }}
{{- if and $monitored $prometheus.rbacPrometheus (not (and $prometheus.serviceAccount $prometheus.namespace)) }}
prometheus.rbacPrometheus=true: Prometheus cannot be given rights without its name. Set prometheus.serviceAccount and prometheus.namespace, or rbacPrometheus to false
{{- end }}
{{- if and (not .Values.speaker.memberlist.enabled) .Values.speaker.nodeSelector }}
speaker.memberlist.enabled=false with speaker.nodeSelector: without memberlist every node must run a speaker. Remove the nodeSelector, or enable memberlist
{{- end }}
{{- if and .Values.tls.cipherSuites (ne .Values.tls.minVersion "VersionTLS12") }}
tls.cipherSuites: TLS 1.3 has no choice of cipher suites. Set tls.minVersion to VersionTLS12, or remove the suites
{{- end }}
{{- $curves := list }}
{{- range splitList "," (toString .Values.tls.curvePreferences) }}{{ with trim . }}{{ $curves = append $curves . }}{{ end }}{{ end }}
{{- range $curves }}
{{- if not (has . (list "23" "24" "25" "29")) }}
tls.curvePreferences={{ $.Values.tls.curvePreferences }}: {{ . }} is none of 23, 24, 25 and 29. Set it to one of them, or to ""
{{- end }}
{{- end }}
{{- if and (gt (len $curves) 1) (lt (len (uniq $curves)) 4) }}
tls.curvePreferences={{ .Values.tls.curvePreferences }}: Python's TLS holds to one curve or to all of them. Set it to one, or to ""
{{- end }}
{{- if and .Values.networkpolicies.defaultDeny (not .Values.networkpolicies.enabled) }}
networkpolicies.defaultDeny=true: it would cut the controller off. Set networkpolicies.enabled to true as well
{{- end }}
{{- range $component := list "controller" "speaker" }}
{{- $values := index $.Values $component }}
{{- if and $values.readinessProbe.enabled (ne (int $values.livenessProbe.port) (int $values.readinessProbe.port)) }}
{{ $component }}.readinessProbe.port={{ $values.readinessProbe.port }}: one port answers both probes. Set it to that of livenessProbe, {{ $values.livenessProbe.port }}
{{- end }}
{{- if eq (int $values.livenessProbe.port) (int $prometheus.metricsPort) }}
{{ $component }}.livenessProbe.port={{ $values.livenessProbe.port }}: prometheus.metricsPort is the same. Change one of them
{{- end }}
{{- if regexMatch "(^|/)metallb/(controller|speaker)$" $values.image.repository }}
{{ $component }}.image.repository={{ $values.image.repository }}: that is MetalLB's image, which does not know Herald's commands. Remove the value, or name a copy of ghcr.io/herald-lb/herald
{{- end }}
{{- if has $values.command (list "/controller" "/speaker") }}
{{ $component }}.command={{ $values.command }}: that is MetalLB's program. Remove the value
{{- end }}
{{- end }}
{{- if and .Values.speaker.memberlist.enabled (has (int .Values.speaker.memberlist.mlBindPort) (list (int $prometheus.metricsPort) (int .Values.speaker.livenessProbe.port))) }}
speaker.memberlist.mlBindPort={{ .Values.speaker.memberlist.mlBindPort }}: another port of the speaker is the same. Change one of them
{{- end }}
{{- $taken := list (int $prometheus.metricsPort) (int .Values.speaker.livenessProbe.port) }}
{{- if .Values.speaker.memberlist.enabled }}
{{- $taken = append $taken (int .Values.speaker.memberlist.mlBindPort) }}
{{- end }}
{{- range include "herald.bgpPorts" . | fromJsonArray }}
{{- if has (int .) $taken }}
speaker.bgpListen, port {{ . }}: another port of the speaker is the same. Change one of them
{{- end }}
{{- end }}
{{- range $name := list "gratuitousARPInterval" "selfProbeInterval" }}
{{- $text := toString (index $.Values.speaker $name) }}
{{- $seconds := include "herald.seconds" $text | float64 }}
{{- if and $text (ne $seconds 0.0) (or (lt $seconds 1.0) (gt $seconds 86400.0)) }}
speaker.{{ $name }}={{ $text }}: it is not from 1s to 24h. Set it to seconds, or e.g. to 90s or 5m, or to 0 for never
{{- end }}
{{- end }}
{{- if and .Values.speaker.wanConfig (has .Values.speaker.memberlist.mlProfile (list "herald" "lan")) }}
speaker.wanConfig=true with speaker.memberlist.mlProfile={{ .Values.speaker.memberlist.mlProfile }}: they say different times. Remove one of them
{{- end }}
{{- if eq (int .Values.controller.replicas) 0 }}
controller.replicas=0: nobody would give addresses. Set controller.enabled to false if that is meant
{{- end }}
{{- include "herald.renamed" . }}
{{- end }}

{{/* On `helm upgrade` from MetalLB's chart, or after metallbChartNames was changed: objects would get new names, and
those of the old name go, speakers on all nodes at once. */}}
{{- define "herald.renamed" -}}
{{- if .Release.IsUpgrade }}
{{- $chart := eq (include "herald.style" .) "chart" }}
{{- $other := ternary "speaker" (printf "%s-speaker" (include "herald.fullname" .)) $chart }}
{{- $found := lookup "apps/v1" "DaemonSet" .Release.Namespace $other }}
{{- if and $found (eq (dig "metadata" "annotations" "meta.helm.sh/release-name" "" $found) .Release.Name) }}
{{- $cause := list }}
{{- range $name := list "nameOverride" "fullnameOverride" }}
{{- with index $.Values $name }}{{ $cause = append $cause (printf "%s=%s" $name .) }}{{ end }}
{{- end }}
{{- if or .Values.metallbChartNames (not $cause) }}{{ $cause = append $cause (printf "metallbChartNames=%t" .Values.metallbChartNames) }}{{ end }}
{{- $remedy := ternary (printf "Leave %s away" (join ", " $cause)) (printf "Set metallbChartNames=%t" (not $chart)) (or .Values.nameOverride .Values.fullnameOverride | not | not) }}
{{ join ", " $cause }}: this release has the DaemonSet {{ $other }}, which would be removed on all nodes at once. {{ $remedy }} to replace it node by node
{{- end }}
{{- end }}
{{- end }}
