package command

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/nusnewob/kube-changejob/cmd/kubectl-changejob/text"
)

// terminalOf tells whether out is a terminal, and how wide that is.
func terminalOf(out io.Writer) func() (columns int, ok bool) {
	return func() (int, bool) {
		file, ok := out.(*os.File)
		if !ok || !term.IsTerminal(int(file.Fd())) {
			return 0, false
		}
		columns, _, err := term.GetSize(int(file.Fd()))
		if err != nil {
			columns = text.DefaultWidth
		}
		return columns, true
	}
}

// writer returns a writer for people: as wide as the terminal, but not narrower than what every terminal has, and with colours
// only on a terminal whose user does not refuse them.
func (p *plugin) writer() *text.Writer {
	w := &text.Writer{Width: text.DefaultWidth, Now: p.Now()}
	if columns, ok := p.Terminal(); ok {
		w.Width = max(columns, text.DefaultWidth)
		w.Colour = p.Getenv("NO_COLOR") == "" && p.Getenv("TERM") != "dumb"
	}
	return w
}
