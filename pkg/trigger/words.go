package trigger

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// namedAtMost is how many things a message names before it only counts the rest.
const namedAtMost = 3

// enumerate names the first few, and counts the rest: "a, b, c and 2 more".
func enumerate(names []string) string {
	if len(names) <= namedAtMost {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:namedAtMost], ", ") + " and " + strconv.Itoa(len(names)-namedAtMost) + " more"
}

// describe names references.
func describe(refs []*reference) string {
	list := make([]string, 0, len(refs))
	for _, ref := range refs {
		list = append(list, ref.String())
	}
	return enumerate(list)
}

// shorten cuts a message where it is longer than an event may be.
func shorten(message string) string {
	const ellipsis = "…"
	message = strings.ToValidUTF8(message, "\uFFFD")
	if len(message) <= maxMessageLength {
		return message
	}
	end := maxMessageLength - len(ellipsis)
	for !utf8.RuneStart(message[end]) {
		end--
	}
	return message[:end] + ellipsis
}
