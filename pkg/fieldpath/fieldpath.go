package fieldpath

import "fmt"

// Path is a compiled field path. It is immutable and safe for concurrent use.
type Path struct {
	expr  string
	steps []step
}

// SyntaxError says what is wrong with a path, and where.
type SyntaxError struct {
	// Path is the path as written.
	Path string
	// Position is the byte offset of the offending part, counted from 0.
	Position int
	// Reason says what is wrong there.
	Reason string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid field path %q: at position %d: %s", e.Path, e.Position, e.Reason)
}

// Compile returns the compiled path, or a *SyntaxError. The package comment tells what can be written.
func Compile(expr string) (*Path, error) {
	steps, err := parse(expr)
	if err != nil {
		return nil, err
	}
	return &Path{expr: expr, steps: steps}, nil
}

// String returns the path as it was written.
func (p *Path) String() string { return p.expr }
