// Command comparison checks that what docs/comparison.md claims of this project is proven: every row of its tables names tests, and
// each of them ran and passed in the run of which -results holds the events, as go test -json writes them.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

func main() {
	page := flag.String("page", "docs/comparison.md", "the page that claims")
	results := flag.String("results", "", "the events of the run, as go test -json writes them")
	flag.Parse()
	if err := run(*page, *results); err != nil {
		fmt.Fprintln(os.Stderr, "comparison:", err)
		os.Exit(1)
	}
}

func run(page, results string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	events, err := os.Open(results)
	if err != nil {
		return err
	}
	defer func() { _ = events.Close() }()
	ended, err := outcomes(events)
	if err != nil {
		return fmt.Errorf("%s: %w", results, err)
	}
	return proven(claims(string(text)), ended)
}

// claim is a row of a table.
type claim struct {
	topic string
	tests []string // that prove what its last cell says
}

var testName = regexp.MustCompile("`(Test[A-Za-z0-9_]+)`")

// claims returns the rows of all tables of a page in Markdown.
func claims(page string) []claim {
	var rows []claim
	lines := strings.Split(page, "\n")
	for i, line := range lines {
		// The line after a table's head is a row of dashes; neither of the two claims anything.
		head := i+1 < len(lines) && strings.HasPrefix(lines[i+1], "|--")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|--") || head {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		row := claim{topic: strings.TrimSpace(cells[0])}
		for _, name := range testName.FindAllStringSubmatch(cells[len(cells)-1], -1) {
			row.tests = append(row.tests, name[1])
		}
		rows = append(rows, row)
	}
	return rows
}

// outcomes returns how each test ended in each package that has one of that name: pass, fail or skip.
func outcomes(events io.Reader) (map[string][]string, error) {
	ended := map[string][]string{}
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var event struct{ Action, Test string }
			if err := json.Unmarshal(line, &event); err != nil {
				return nil, err
			}
			if event.Test != "" && slices.Contains([]string{"pass", "fail", "skip"}, event.Action) {
				ended[event.Test] = append(ended[event.Test], event.Action)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return ended, nil
		case err != nil:
			return nil, err
		}
	}
}

// proven returns an error that names each claim without tests, and each test that did not run or did not pass.
func proven(rows []claim, ended map[string][]string) error {
	var errs []error
	if len(rows) == 0 {
		errs = append(errs, errors.New("nothing is claimed"))
	}
	for _, row := range rows {
		if len(row.tests) == 0 {
			errs = append(errs, fmt.Errorf("%q: names no test", row.topic))
		}
		for _, name := range row.tests {
			switch how := ended[name]; {
			case len(how) == 0:
				errs = append(errs, fmt.Errorf("%q: %s did not run", row.topic, name))
			case slices.ContainsFunc(how, func(action string) bool { return action != "pass" }):
				errs = append(errs, fmt.Errorf("%q: %s did not pass: %s", row.topic, name, strings.Join(how, ", ")))
			}
		}
	}
	return errors.Join(errs...)
}
