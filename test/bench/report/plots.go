package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/nusnewob/kube-changejob/test/bench/figures"
)

// look is how an arm is drawn: colours that can be told apart also by those who see fewer, and a shape of its own.
type look struct {
	color color.RGBA
	shape draw.GlyphDrawer
}

var looks = map[string]look{
	figures.Operator: {color.RGBA{R: 0x00, G: 0x72, B: 0xB2, A: 0xFF}, draw.CircleGlyph{}},
	figures.Wide:     {color.RGBA{R: 0x56, G: 0xB4, B: 0xE9, A: 0xFF}, draw.RingGlyph{}},
	figures.Single:   {color.RGBA{R: 0xE6, G: 0x9F, B: 0x00, A: 0xFF}, draw.PlusGlyph{}},
	figures.Bare:     {color.RGBA{R: 0x22, G: 0x22, B: 0x22, A: 0xFF}, draw.SquareGlyph{}},
	figures.Create:   {color.RGBA{R: 0x8A, G: 0x8A, B: 0x8A, A: 0xFF}, draw.BoxGlyph{}},
	figures.Informer: {color.RGBA{R: 0xD5, G: 0x5E, B: 0x00, A: 0xFF}, draw.PyramidGlyph{}},
	figures.Metadata: {color.RGBA{R: 0xA8, G: 0x4F, B: 0x83, A: 0xFF}, draw.TriangleGlyph{}},
	figures.List:     {color.RGBA{R: 0x00, G: 0x9E, B: 0x73, A: 0xFF}, draw.CrossGlyph{}},
}

// dashes tell the statistics of a measure apart.
var dashes = [][]vg.Length{nil, {vg.Points(5), vg.Points(3)}, {vg.Points(1.5), vg.Points(2.5)}}

var (
	ink  = color.RGBA{R: 0x22, G: 0x22, B: 0x22, A: 0xFF}
	grid = color.RGBA{R: 0xE2, G: 0xE2, B: 0xE2, A: 0xFF}
)

const (
	width            = 6.4 * vg.Inch
	height           = 3.4 * vg.Inch // of the plot without its legend
	margin vg.Length = 8
	entry  vg.Length = 15 // the height of a line of the legend
)

// picture is what a plot shows.
type picture struct {
	measure string
	dimensions
	lines []series
}

// pictured returns what the plot of a measure shows; nil where no arm has several sizes that have a logarithm.
func pictured(run *figures.Run, measure string) *picture {
	all := seriesOf(run, measure)
	if len(all) == 0 {
		return nil
	}
	p := &picture{measure: measure, dimensions: dimensionsOf(all)}
	several := false
	for _, s := range all {
		s.figures = slices.DeleteFunc(s.figures, func(f figures.Figure) bool { return f.N <= 0 || f.Median() <= 0 })
		several = several || len(s.figures) > 1
		if len(s.figures) > 0 {
			p.lines = append(p.lines, s)
		}
	}
	if !several {
		return nil
	}
	return p
}

// alt tells what the plot shows to those who do not see it.
func (p *picture) alt() string {
	return fmt.Sprintf("%s: %s against %s, both axes logarithmic; the table above has its numbers", sentence(p.measure), p.unit, p.of)
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// plotName is the name of the file with the plot of a measure.
func plotName(measure string) string {
	return strings.Trim(notInNames.ReplaceAllString(strings.ToLower(measure), "-"), "-") + ".svg"
}

// plotOf draws a measure against the size as SVG. It returns nil where there is nothing to draw.
func plotOf(run *figures.Run, measure string) ([]byte, error) {
	shown := pictured(run, measure)
	if shown == nil {
		return nil, nil
	}
	canvas := vgsvg.New(width, height+shown.key())
	if err := shown.paint(canvas); err != nil {
		return nil, err
	}
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return nil, err
	}
	return tidy(svg.Bytes()), nil
}

// key is the height of the legend, which stands below the plot: within, it would cover lines.
func (p *picture) key() vg.Length { return entry * vg.Length(len(p.lines)) }

// paint draws on logarithmic axes: medians as points, least and greatest as bars.
func (p *picture) paint(canvas vg.CanvasSizer) error {
	chart := plot.New()
	chart.Title.Text = sentence(p.measure)
	chart.Title.Padding = vg.Points(6)
	dress(&chart.Title.TextStyle)
	chart.BackgroundColor = nil
	lines := plotter.NewGrid()
	lines.Horizontal.Color, lines.Vertical.Color = grid, grid
	chart.Add(lines)
	axis(&chart.X, p.of)
	axis(&chart.Y, p.unit)

	legend := plot.NewLegend()
	dress(&legend.TextStyle)
	legend.TextStyle.Font.Size = vg.Points(11)
	legend.Left, legend.Top = true, true
	legend.ThumbnailWidth = vg.Points(28)
	legend.YPosition = draw.PosCenter
	if err := p.draw(chart, &legend); err != nil {
		return err
	}
	legend.Padding = entry - legend.TextStyle.Rectangle("k").Max.Y
	chart.X.Min, chart.X.Max = decades(chart.X.Min, chart.X.Max)
	chart.Y.Min, chart.Y.Max = decades(chart.Y.Min, chart.Y.Max)

	all := draw.New(canvas)
	all.SetColor(color.White) // also behind the legend, for pages with a dark background
	all.Fill(all.Path())
	chart.Draw(draw.Crop(all, margin, -2*margin, p.key()+2*margin, -margin))
	legend.Draw(draw.Crop(all, 6*margin, 0, margin, p.key()+margin-all.Max.Y))
	return nil
}

// draw adds lines, points and bars, and names them in the legend.
func (p *picture) draw(on *plot.Plot, legend *plot.Legend) error {
	for _, s := range p.lines {
		how, ok := looks[s.arm]
		if !ok {
			how = look{ink, draw.PlusGlyph{}}
		}
		points := make(plotter.XYs, len(s.figures))
		bars := struct {
			plotter.XYs
			plotter.YErrors
		}{points, make(plotter.YErrors, len(s.figures))}
		for i, f := range s.figures {
			points[i].X, points[i].Y = float64(f.N), f.Median()
			low := f.Min()
			if low <= 0 {
				low = f.Median() // 0 has no place on the axis
			}
			bars.YErrors[i].Low, bars.YErrors[i].High = f.Median()-low, f.Max()-f.Median()
		}
		line, glyphs, err := plotter.NewLinePoints(points)
		if err != nil {
			return err
		}
		line.Color, line.Width = how.color, vg.Points(1.5)
		line.Dashes = dashes[slices.Index(p.statistics, s.statistic)%len(dashes)]
		glyphs.Color, glyphs.Shape, glyphs.Radius = how.color, how.shape, vg.Points(3)
		reach, err := plotter.NewYErrorBars(bars)
		if err != nil {
			return err
		}
		reach.Color = how.color
		on.Add(reach, line, glyphs)
		legend.Add(p.name(&s), line, glyphs)
	}
	return nil
}

// name is what the legend says of a line.
func (p *picture) name(s *series) string {
	name := s.arm
	if s.statistic != "" {
		name += ", " + s.statistic
	}
	exponent := s.exponent()
	switch {
	case math.IsNaN(exponent):
		return name
	case p.unit == rate:
		return name + ": the time for all grows with the power " + power(exponent)
	default:
		return name + ": grows with the power " + power(exponent)
	}
}

func dress(style *text.Style) {
	style.Font.Variant = "Sans"
	style.Color = ink
}

// axis makes an axis logarithmic, and names it.
func axis(a *plot.Axis, label string) {
	a.Label.Text = label
	dress(&a.Label.TextStyle)
	dress(&a.Tick.Label)
	a.Color, a.Tick.Color = ink, ink
	a.Scale = plot.LogScale{}
	a.Tick.Marker = plot.TickerFunc(ticks)
}

// decades widens a range to whole powers of ten, so that all plots show growth at one scale.
func decades(least, most float64) (from, to float64) {
	first, last := math.Floor(math.Log10(least)), math.Ceil(math.Log10(most))
	if first == last {
		last++
	}
	return math.Pow10(int(first)), math.Pow10(int(last))
}

// ticks are at each digit of each power of ten, with numbers at the powers.
func ticks(least, most float64) []plot.Tick {
	var all []plot.Tick
	for power := int(math.Round(math.Log10(least))); power <= int(math.Round(math.Log10(most))); power++ {
		for digit := 1; digit < 10; digit++ {
			tick := plot.Tick{Value: float64(digit) * math.Pow10(power)}
			if digit == 1 {
				tick.Label = axisNumber(power)
			}
			if tick.Value <= most*1.001 {
				all = append(all, tick)
			}
		}
	}
	return all
}

// axisNumber writes a power of ten.
func axisNumber(power int) string {
	if power < 0 {
		return "0." + strings.Repeat("0", -power-1) + "1"
	}
	return thousands("1" + strings.Repeat("0", power))
}

var (
	fontOfText = regexp.MustCompile(`font-family:[^;"]*;font-variant:[^;"]*;font-weight:[^;"]*;font-style:[^;"]*;`)
	attribute  = regexp.MustCompile(`(?:d|x|y|transform|style)="[^"]*"`)
	longNumber = regexp.MustCompile(`-?\d+\.\d{3,}(?:e[+-]?\d+)?|-?\d+(?:\.\d+)?e[+-]?\d+`)
)

// tidy makes an SVG smaller, and the same on every machine: two digits behind the point are enough, and one font is named for
// all text, with what every reader has in its place.
func tidy(svg []byte) []byte {
	svg = fontOfText.ReplaceAll(svg, nil)
	svg = bytes.Replace(svg, []byte("<svg "), []byte(`<svg font-family="Liberation Sans, Arial, Helvetica, sans-serif" `), 1)
	return attribute.ReplaceAllFunc(svg, func(attribute []byte) []byte {
		return longNumber.ReplaceAllFunc(attribute, func(digits []byte) []byte {
			value, err := strconv.ParseFloat(string(digits), 64)
			if err != nil {
				return digits
			}
			return strconv.AppendFloat(nil, math.Round(value*100)/100+0, 'f', -1, 64)
		})
	})
}
