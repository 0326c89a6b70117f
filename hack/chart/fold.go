package main

import (
	"fmt"
	"regexp"
	"strings"
)

// What a condition of a template that the chart does not leave open is replaced by, beside another condition.
const (
	always = "true"
	never  = "false"
)

// action is a line that holds nothing but the beginning, the middle or the end of a block.
var action = regexp.MustCompile(`^\s*\{\{-? *(if|with|range|else|end)\b *(.*?) *-?\}\}\s*$`)

// block is one that the line that is read stands in.
type block struct {
	// open is true where the lines that begin and end it stay.
	open bool
	// dropped is true where what it holds now goes.
	dropped bool
}

// fold decides those conditions of a template that are settled: a block whose condition always holds loses its frame, one whose
// condition never holds goes, and a condition that is narrowed becomes what is left of it. It counts in used what it met.
func fold(template string, settled map[string]string, used map[string]int) (string, error) {
	var folded strings.Builder
	var blocks []block
	dropped := func() bool {
		for _, b := range blocks {
			if b.dropped {
				return true
			}
		}
		return false
	}
	for line := range strings.Lines(template) {
		found := action.FindStringSubmatch(line)
		if found == nil {
			if !dropped() {
				folded.WriteString(line)
			}
			continue
		}
		switch keyword, condition := found[1], found[2]; keyword {
		case "if", "with", "range":
			decision, known := settled[condition]
			if known {
				used[condition]++
				line = strings.Replace(line, condition, decision, 1)
			}
			blocks = append(blocks, block{
				open:    !known || decision != always && decision != never,
				dropped: known && decision == never,
			})
			if blocks[len(blocks)-1].open && !dropped() {
				folded.WriteString(line)
			}
		default:
			if len(blocks) == 0 {
				return "", fmt.Errorf("%q ends a block that has not begun", strings.TrimSpace(line))
			}
			last := &blocks[len(blocks)-1]
			if !last.open && keyword == "else" {
				if condition != "" {
					return "", fmt.Errorf("%q follows a condition that is settled", strings.TrimSpace(line))
				}
				last.dropped = !last.dropped
			}
			if last.open && !dropped() {
				folded.WriteString(line)
			}
			if keyword == "end" {
				blocks = blocks[:len(blocks)-1]
			}
		}
	}
	if len(blocks) > 0 {
		return "", fmt.Errorf("%d blocks have no end", len(blocks))
	}
	return folded.String(), nil
}
