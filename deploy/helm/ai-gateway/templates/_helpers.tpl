{{- define "ai-gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "ai-gateway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "ai-gateway.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "ai-gateway.selectorLabels" -}}
app.kubernetes.io/name: {{ include "ai-gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ai-gateway.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "ai-gateway.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "ai-gateway.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "ai-gateway.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "ai-gateway.signingSecret" -}}
{{- if .Values.signingKey.existingSecret -}}
{{- .Values.signingKey.existingSecret -}}
{{- else if .Values.signingKey.generate -}}
{{- printf "%s-signing-key" (include "ai-gateway.fullname" .) -}}
{{- end -}}
{{- end -}}

{{- define "ai-gateway.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}

{{/* One source of weights, or none here. */}}
{{- define "ai-gateway.checkModels" -}}
{{- $m := .Values.models -}}
{{- $n := 0 -}}
{{- range list $m.existingClaim $m.hostPath $m.image $m.size -}}
{{- if . -}}{{- $n = add1 $n -}}{{- end -}}
{{- end -}}
{{- if gt (int $n) 1 -}}
{{- fail "models: set only one of existingClaim, hostPath, image and size" -}}
{{- end -}}
{{- end -}}

{{- define "ai-gateway.modelsVolume" -}}
{{- $m := .Values.models -}}
{{- if $m.existingClaim }}
persistentVolumeClaim:
  claimName: {{ $m.existingClaim }}
{{- else if $m.hostPath }}
hostPath:
  path: {{ $m.hostPath }}
  type: Directory
{{- else if $m.image }}
image:
  reference: {{ $m.image }}
  pullPolicy: IfNotPresent
{{- else if $m.size }}
persistentVolumeClaim:
  claimName: {{ include "ai-gateway.fullname" . }}-models
{{- end }}
{{- end -}}
