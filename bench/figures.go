package main

import (
	"fmt"
	"io"
	"slices"
)

// figures are what was measured in each pair.
type figures []float64

// at returns the value below which a part of the figures is.
func (f figures) at(part float64) float64 {
	sorted := slices.Sorted(slices.Values(f))
	rank := part * float64(len(sorted)-1)
	low := int(rank)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (sorted[high]-sorted[low])*(rank-float64(low))
}

func (f figures) median() float64 { return f.at(0.5) }

// half is where the middle half of the figures is.
func (f figures) half(format string) string {
	return fmt.Sprintf(format+" to "+format, f.at(0.25), f.at(0.75))
}

// bound is what a figure must not be over; zero is none.
type bound struct {
	most   float64
	format string // of the figure, such as %.2f
	unit   string
}

func ratio(most float64) bound  { return bound{most, "%.2f", ""} }
func micros(most float64) bound { return bound{most, "%.1f", " µs"} }
func nanos(most float64) bound  { return bound{most, "%.0f", " ns"} }

func (b bound) String() string {
	if b.most == 0 {
		return ""
	}
	return fmt.Sprintf("≤ %g%s", b.most, b.unit)
}

// show writes a figure, in bold if it is within the bound.
func (b bound) show(figure float64) string {
	text := fmt.Sprintf(b.format, figure) + b.unit
	if b.most > 0 && figure <= b.most {
		return "**" + text + "**"
	}
	return text
}

// tableLine writes a line of a table in Markdown.
func tableLine(out io.Writer, cells ...any) {
	for _, cell := range cells {
		fmt.Fprintf(out, "| %v ", cell)
	}
	fmt.Fprintln(out, "|")
}

// tableHead writes the head of a table.
func tableHead(out io.Writer, cells ...any) {
	fmt.Fprintln(out)
	tableLine(out, cells...)
	for i := range cells {
		cells[i] = "---"
	}
	tableLine(out, cells...)
}
