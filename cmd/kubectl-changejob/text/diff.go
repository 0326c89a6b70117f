package text

import (
	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/report"
)

// Differences writes what differs from the state that the last Jobs ran for.
func (w *Writer) Differences(all report.Differences) {
	for i, d := range all.Items {
		if i > 0 {
			w.line("")
		}
		if len(d.Resources) == 0 {
			w.paragraph("", 0, d.Namespace+"/"+d.Name+": nothing differs from what the last Job ran for")
			continue
		}
		w.paragraph("", 0, d.Namespace+"/"+d.Name+": differs from what the last Job ran for")
		for j := range d.Resources {
			w.reference(&d.Resources[j], "  ")
		}
	}
}
