package text

import (
	"fmt"
	"strings"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
)

// Graph writes a tree: the watched objects, and below each what it triggers.
func (w *Writer) Graph(graph report.Graph) {
	for i := range graph.Objects {
		object := &graph.Objects[i]
		w.line(w.fitted(clean(watched(object))))
		for j := range object.Triggers {
			branch := "├─ "
			if j == len(object.Triggers)-1 {
				branch = "└─ "
			}
			w.line(w.fitted(branch + clean(triggered(&object.Triggers[j]))))
		}
	}
}

// watched names a watched object, and whose Jobs it is: "Job shop/[changejob.dev/owner=build] (of shop/build)".
func watched(object *report.GraphObject) string {
	text := object.String()
	if len(object.JobsOf) == 0 {
		return text
	}
	names := make([]string, 0, len(object.JobsOf))
	for _, source := range object.JobsOf {
		names = append(names, source.Namespace+"/"+source.Name)
	}
	return text + " (of " + strings.Join(names, ", ") + ")"
}

func (w *Writer) fitted(line string) string {
	if w.Width == Unlimited {
		return line
	}
	return cut(line, w.Width)
}

// triggered names a ChangeTriggeredJob, and says when it is triggered: "default/config-sync: data, immutable (all)".
func triggered(t *report.GraphTrigger) string {
	text := t.Namespace + "/" + t.Name
	if notes := notes(t); notes != "" {
		text += " (" + notes + ")"
	}
	return text + ": " + strings.Join(t.Fields, ", ")
}

func notes(t *report.GraphTrigger) string {
	var all []string
	if t.Condition == v1alpha.TriggerAll {
		all = append(all, "with all of its resources")
	}
	if t.Suspended {
		all = append(all, "suspended")
	}
	return strings.Join(all, ", ")
}

// DOT returns the graph in the language of Graphviz: boxes are watched objects, ellipses are ChangeTriggeredJobs, and an
// edge bears the fields that count. A dashed edge triggers only together with others; a dotted ellipse is suspended. From an
// ellipse, an edge leads to the Jobs of it that are watched.
func DOT(graph report.Graph) string {
	var b strings.Builder
	b.WriteString("digraph changejob {\n  rankdir=LR;\n")
	known := map[string]bool{}
	var sources []report.GraphSource
	for i := range graph.Objects {
		object := &graph.Objects[i]
		from := "object " + object.APIVersion + " " + object.String()
		fmt.Fprintf(&b, "  %s [shape=box, label=%s];\n", quote(from), quote(object.String()))
		for _, source := range object.JobsOf {
			fmt.Fprintf(&b, "  %s -> %s;\n", quote("trigger "+source.Namespace+"/"+source.Name), quote(from))
		}
		sources = append(sources, object.JobsOf...)
		for j := range object.Triggers {
			t := &object.Triggers[j]
			to := "trigger " + t.Namespace + "/" + t.Name
			if !known[to] {
				known[to] = true
				style := "solid"
				if t.Suspended {
					style = "dotted"
				}
				fmt.Fprintf(&b, "  %s [shape=ellipse, style=%s, label=%s];\n", quote(to), style, quote(t.Namespace+"/"+t.Name))
			}
			style := "solid"
			if t.Condition == v1alpha.TriggerAll {
				style = "dashed"
			}
			fmt.Fprintf(&b, "  %s -> %s [style=%s, label=%s];\n", quote(from), quote(to), style, quote(strings.Join(t.Fields, ", ")))
		}
	}
	for _, source := range sources {
		if name := source.Namespace + "/" + source.Name; !known["trigger "+name] {
			known["trigger "+name] = true
			fmt.Fprintf(&b, "  %s [shape=ellipse, label=%s];\n", quote("trigger "+name), quote(name))
		}
	}
	b.WriteString("}\n")
	return b.String()
}

// quote writes a text as a quoted ID of DOT, in which a backslash begins an escape, and so must be doubled.
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(clean(text)) + `"`
}
