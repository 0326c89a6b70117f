{{/*
What the schema of the values cannot say.
*/}}
{{- define "kube-changejob.check" -}}
{{- range .Values.manager.env }}
{{- if eq .name "POD_NAMESPACE" }}
{{- fail "manager.env: POD_NAMESPACE is the namespace of the release" }}
{{- end }}
{{- if eq .name "ENABLE_WEBHOOKS" }}
{{- fail "manager.env: ENABLE_WEBHOOKS would leave the webhook's configuration without anybody who answers, and every ChangeTriggeredJob would be refused" }}
{{- end }}
{{- end }}
{{- if and .Values.reading.everything (or .Values.reading.cluster .Values.reading.namespaces) }}
{{- fail "reading.cluster and reading.namespaces are in place of everything: set reading.everything to false" }}
{{- end }}
{{- if and .Values.prometheus.enabled (not .Values.metrics.enabled) }}
{{- fail "prometheus.enabled: there is nothing to scrape without metrics.enabled" }}
{{- end }}
{{- end }}

{{/*
Nine tenths of the memory limit, which is in Mi or Gi: rather collect garbage more often than be killed. Nothing where there is no limit, or a
variable of that name.
*/}}
{{- define "kube-changejob.gomemlimit" -}}
{{- $limit := ((.Values.manager.resources).limits).memory | default "" }}
{{- range .Values.manager.env }}
{{- if eq .name "GOMEMLIMIT" }}
{{- $limit = "" }}
{{- end }}
{{- end }}
{{- if hasSuffix "Gi" $limit }}
{{- $limit = trimSuffix "Gi" $limit | int64 | mul 1024 | printf "%dMi" }}
{{- end }}
{{- with $limit }}
{{- div (trimSuffix "Mi" . | int64 | mul 9) 10 }}MiB
{{- end }}
{{- end }}

{{/*
Labels of what the chart adds to what it is made of.
*/}}
{{- define "kube-changejob.labels" -}}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/name: kube-changejob
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
