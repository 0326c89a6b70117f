package text

import "strings"

const (
	// gap is the space between columns.
	gap = 2
	// minimum is what is left of a column that can be cut.
	minimum = 8
)

// column is a column of a table.
type column struct {
	header string
	// shrink shortens a cell where the table is too wide; nil for a column whose cells stay whole.
	shrink func(text string, width int) string
}

// cell is a text with a colour.
type cell struct {
	text   string
	colour colour
}

func plainCell(text string) cell { return cell{text: text} }

// table writes rows below headers, each column as wide as it needs to be. Where that is too wide, the widest columns that can
// be cut are.
func (w *Writer) table(columns []column, rows [][]cell) {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = length(c.header)
		for _, row := range rows {
			row[i].text = clean(row[i].text)
			widths[i] = max(widths[i], length(row[i].text))
		}
	}
	if w.Width != Unlimited {
		fit(columns, widths, w.Width)
	}
	header := make([]cell, 0, len(columns))
	for _, c := range columns {
		header = append(header, cell{c.header, bold})
	}
	w.row(columns, widths, header)
	for _, row := range rows {
		w.row(columns, widths, row)
	}
}

// fit takes from the widest columns that can be cut, one character after another, until the table is no wider than width.
func fit(columns []column, widths []int, width int) {
	total := gap * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; total > width; total-- {
		widest := -1
		for i, c := range columns {
			if c.shrink != nil && widths[i] > minimum && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

func (w *Writer) row(columns []column, widths []int, row []cell) {
	var line strings.Builder
	for i, c := range row {
		text := c.text
		if columns[i].shrink != nil {
			text = columns[i].shrink(text, widths[i])
		}
		line.WriteString(w.paint(text, c.colour))
		if i < len(row)-1 {
			line.WriteString(strings.Repeat(" ", widths[i]-length(text)+gap))
		}
	}
	w.line(line.String())
}
