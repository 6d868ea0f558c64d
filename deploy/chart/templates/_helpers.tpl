{{- define "chargewatch.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- /* Takes the root as .root and the component as .component, as most of those below. */}}
{{- define "chargewatch.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "chargewatch.labels" -}}
{{ include "chargewatch.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "chargewatch.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- /* A number as TOML has it: the values know none but floats. */}}
{{- define "chargewatch.number" -}}
{{- if eq (floor .) (float64 .) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- define "chargewatch.toml" -}}
{{- if kindIs "map" . -}}
{ {{- range $i, $key := keys . | sortAlpha }}{{ if $i }},{{ end }} {{ $key | quote }} = {{ include "chargewatch.toml" (get $ $key) }}{{ end }} }
{{- else if kindIs "slice" . -}}
[{{ range $i, $item := . }}{{ if $i }}, {{ end }}{{ include "chargewatch.toml" $item }}{{ end }}]
{{- else if kindIs "string" . -}}
{{ toRawJson . }}
{{- else if kindIs "bool" . -}}
{{ . }}
{{- else -}}
{{ include "chargewatch.number" . }}
{{- end }}
{{- end }}

{{- /* The name of a component's user of Kafka, and of the Secret that lets it in. */}}
{{- define "chargewatch.kafkaUser" -}}
{{- $own := (get .root.Values .component).kafkaUser }}
{{- if $own }}{{ $own }}
{{- else if .root.Values.strimzi.enabled }}{{ include "chargewatch.fullname" .root }}-{{ .component }}
{{- else }}{{ fail (printf "%s.kafkaUser: not set, but kafka.authentication is %s" .component .root.Values.kafka.authentication) }}
{{- end }}
{{- end }}

{{- define "chargewatch.hasTls" -}}
{{- if or .Values.kafka.tls.enabled (eq .Values.kafka.authentication "tls") }}yes{{ end }}
{{- end }}

{{- define "chargewatch.env" -}}
{{- $kafka := .root.Values.kafka }}
{{- $tls := include "chargewatch.hasTls" .root -}}
- name: KAFKA_BOOTSTRAP_SERVERS
  value: {{ $kafka.bootstrapServers | quote }}
{{- if eq $kafka.authentication "scram-sha-512" }}
- name: KAFKA_SECURITY_PROTOCOL
  value: {{ ternary "SASL_SSL" "SASL_PLAINTEXT" (eq $tls "yes") }}
- name: KAFKA_SASL_MECHANISM
  value: SCRAM-SHA-512
- name: KAFKA_SASL_USERNAME
  value: {{ include "chargewatch.kafkaUser" . }}
# Read again when it changes.
- name: KAFKA_SASL_PASSWORD_FILE
  value: /etc/kafka/user/password
{{- else if $tls }}
- name: KAFKA_SECURITY_PROTOCOL
  value: SSL
{{- end }}
{{- if eq $kafka.authentication "tls" }}
- name: KAFKA_SSL_CERTIFICATE_LOCATION
  value: /etc/kafka/user/user.crt
- name: KAFKA_SSL_KEY_LOCATION
  value: /etc/kafka/user/user.key
{{- end }}
{{- if and $tls $kafka.tls.caSecret }}
- name: KAFKA_SSL_CA_LOCATION
  value: /etc/kafka/ca/ca.crt
{{- end }}
{{- end }}

{{- define "chargewatch.mounts" -}}
- name: config
  mountPath: /etc/chargewatch
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- if ne .root.Values.kafka.authentication "none" }}
- name: kafka-user
  mountPath: /etc/kafka/user
  readOnly: true
{{- end }}
{{- if and (include "chargewatch.hasTls" .root) .root.Values.kafka.tls.caSecret }}
- name: kafka-ca
  mountPath: /etc/kafka/ca
  readOnly: true
{{- end }}
{{- end }}

{{- define "chargewatch.volumes" -}}
- name: config
  configMap:
    name: {{ include "chargewatch.fullname" .root }}
- name: tmp
  emptyDir:
    sizeLimit: 1Gi
{{- if ne .root.Values.kafka.authentication "none" }}
- name: kafka-user
  secret:
    secretName: {{ include "chargewatch.kafkaUser" . }}
    items:
      {{- range ternary (list "user.crt" "user.key") (list "password") (eq .root.Values.kafka.authentication "tls") }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- end }}
{{- if and (include "chargewatch.hasTls" .root) .root.Values.kafka.tls.caSecret }}
- name: kafka-ca
  secret:
    secretName: {{ .root.Values.kafka.tls.caSecret }}
    items:
      - {key: ca.crt, path: ca.crt}
{{- end }}
{{- end }}

{{- /* A certificate of a web server, as volume and mount. */}}
{{- define "chargewatch.certificateMount" -}}
- name: certificate
  mountPath: /etc/certificate
  readOnly: true
{{- end }}

{{- define "chargewatch.certificateVolume" -}}
- name: certificate
  secret:
    secretName: {{ . }}
{{- end }}

{{- define "chargewatch.podMeta" -}}
annotations:
  checksum/config: {{ include (print .root.Template.BasePath "/configmap.yaml") .root | sha256sum }}
labels:
  {{- include "chargewatch.labels" . | nindent 2 }}
{{- end }}

{{- define "chargewatch.podSpec" -}}
{{- $values := get .root.Values .component -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "chargewatch.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}

{{- define "chargewatch.container" -}}
image: {{ include "chargewatch.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- with .root.Values.secretEnv }}
envFrom:
  {{- range . }}
  - secretRef:
      name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* Probes on the pages of every command; .patience is in seconds, and .scheme may be HTTPS. */}}
{{- define "chargewatch.probes" -}}
{{- $scheme := .scheme | default "HTTP" -}}
startupProbe:
  httpGet: {path: /healthz, port: web, scheme: {{ $scheme }}}
  periodSeconds: 2
  timeoutSeconds: 3
  failureThreshold: {{ div .patience 2 }}
livenessProbe:
  httpGet: {path: /healthz, port: web, scheme: {{ $scheme }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: web, scheme: {{ $scheme }}}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end }}
