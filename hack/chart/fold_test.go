package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConditionsThatAreSettledAreDecided(t *testing.T) {
	settled := map[string]string{".Values.on": always, ".Values.off": never, "and .Values.on .Values.open": ".Values.open"}
	for name, test := range map[string]struct{ template, want string }{
		"one that is open stays": {
			template: "{{- if .Values.open }}\na: 1\n{{- else }}\na: 2\n{{- end }}\n",
			want:     "{{- if .Values.open }}\na: 1\n{{- else }}\na: 2\n{{- end }}\n",
		},
		"of one that always holds, the frame goes": {
			template: "{{- if .Values.on }}\na: 1\n{{- end }}\nb: 2\n",
			want:     "a: 1\nb: 2\n",
		},
		"and what holds otherwise": {
			template: "  {{- if .Values.on }}\n  a: 1\n  {{- else }}\n  a: 2\n  {{- end }}\n",
			want:     "  a: 1\n",
		},
		"one that never holds goes": {
			template: "{{- with .Values.off }}\na: 1\n{{- end }}\nb: 2\n",
			want:     "b: 2\n",
		},
		"and what holds otherwise stays": {
			template: "{{- if .Values.off }}\na: 1\n{{- else }}\na: 2\n{{- end }}\n",
			want:     "a: 2\n",
		},
		"blocks of one that goes go, whatever they ask": {
			template: "{{- if .Values.off }}\n{{- if .Values.on }}\na: 1\n{{- else }}\n{{- range .Values.open }}\n- {{ . }}\n{{- end }}\n{{- end }}\n{{- end }}\nb: 2\n",
			want:     "b: 2\n",
		},
		"blocks of one that stays are decided": {
			template: "{{- if .Values.open }}\n{{- if .Values.on }}\na: 1\n{{- end }}\n{{- end }}\n",
			want:     "{{- if .Values.open }}\na: 1\n{{- end }}\n",
		},
		"one that is narrowed asks for what is left": {
			template: "{{- if and .Values.on .Values.open }}\na: 1\n{{- else }}\na: 2\n{{- end }}\n",
			want:     "{{- if .Values.open }}\na: 1\n{{- else }}\na: 2\n{{- end }}\n",
		},
		"a condition within a line is none of these": {
			template: "image: a{{- if .Values.on }}:b{{- end }}\n",
			want:     "image: a{{- if .Values.on }}:b{{- end }}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			folded, err := fold(test.template, settled, map[string]int{})
			require.NoError(t, err)
			assert.Equal(t, test.want, folded)
		})
	}
}

func TestWhatIsSettledAndMetIsCounted(t *testing.T) {
	used := map[string]int{}
	_, err := fold("{{- if .Values.on }}\n{{- if .Values.on }}\n{{- end }}\n{{- end }}\n", map[string]string{".Values.on": always, ".Values.off": never}, used)
	require.NoError(t, err)
	assert.Equal(t, map[string]int{".Values.on": 2}, used)
}

func TestBlocksThatDoNotFitAreAnError(t *testing.T) {
	settled := map[string]string{".Values.on": always}
	for template, words := range map[string]string{
		"{{- end }}\n":             "has not begun",
		"{{- if .Values.open }}\n": "have no end",
		"{{- if .Values.on }}\n{{- else if .Values.open }}\n{{- end }}\n": "follows a condition that is settled",
	} {
		_, err := fold(template, settled, map[string]int{})
		assert.ErrorContains(t, err, words)
	}
}
