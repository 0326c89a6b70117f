// Package text writes reports for people. It is pure: what a width and a colour are is told to it, and so is the time.
package text

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
)

// DefaultWidth is how many columns a line may have where nothing else is known.
const DefaultWidth = 80

// Unlimited is the width of what may be as wide as it is.
const Unlimited = 0

// none stands where there is nothing to show.
const none = "-"

// Writer collects a text. Nothing of it is shown before all of it is there.
type Writer struct {
	// Width is how many columns a line may have; Unlimited for any number.
	Width int
	// Colour is true where the text may have colours.
	Colour bool
	// Now is the time that ages are told from.
	Now time.Time

	out strings.Builder
}

// String returns what was written.
func (w *Writer) String() string { return w.out.String() }

// line writes a line, which must be clean.
func (w *Writer) line(text string) { w.out.WriteString(strings.TrimRight(text, " ") + "\n") }

// age tells how long ago something was, as kubectl does.
func (w *Writer) age(t *metav1.Time) string {
	if t.IsZero() {
		return none
	}
	return duration.HumanDuration(w.Now.Sub(t.Time))
}

// until tells how long it is until something.
func (w *Writer) until(t *metav1.Time) string {
	if t == nil {
		return none
	}
	if !t.After(w.Now) {
		return "now"
	}
	// Rounded up: what is due is not due before.
	return duration.HumanDuration(t.Sub(w.Now) + time.Second - 1)
}

// Line makes a text of others fit to be shown in a line.
func Line(text string) string { return strings.TrimSpace(clean(text)) }

// clean makes a text fit to be shown: a terminal must not be told anything by what others have written into the cluster, and a
// cell has one line.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return unicode.ReplacementChar
		default:
			return r
		}
	}, strings.ToValidUTF8(text, string(unicode.ReplacementChar)))
}

// length counts characters.
func length(text string) int { return len([]rune(text)) }

const ellipsis = "…"

// cut shortens a text at its end.
func cut(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	return string(runes[:max(width-1, 0)]) + ellipsis
}

// cutMiddle shortens a text whose end tells it from others.
func cutMiddle(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	tail := suffixLength
	if width < 2*suffixLength-2 {
		tail = max(width-1, 0) / 2
	}
	return string(runes[:max(width-1-tail, 0)]) + ellipsis + string(runes[len(runes)-tail:])
}

// suffixLength is how much of the end of a Job's name tells it from others.
const suffixLength = 10

// wrap breaks a text at spaces into lines of at most width characters; a word that is longer is broken, too. All other spaces stay: they
// may be those of a value.
func wrap(text string, width int) []string {
	if width <= 0 {
		return []string{text}
	}
	var lines []string
	current, begun := "", false
	for word := range strings.SplitSeq(text, " ") {
		if begun && length(current)+1+length(word) <= width {
			current += " " + word
			continue
		}
		if begun {
			lines = append(lines, current)
		}
		for length(word) > width {
			runes := []rune(word)
			lines, word = append(lines, string(runes[:width])), string(runes[width:])
		}
		current, begun = word, true
	}
	return append(lines, current)
}

// paragraph writes a label and a text beside it, which goes on below itself.
func (w *Writer) paragraph(label string, column int, text string) {
	width := Unlimited
	if w.Width != Unlimited {
		width = max(w.Width-column, minimum)
	}
	for i, line := range wrap(clean(text), width) {
		if i > 0 {
			label = ""
		}
		w.line(pad(label, column) + line)
	}
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(width-length(text), 0))
}

// plural counts things: "1 field", "2 fields".
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
