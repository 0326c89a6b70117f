package fieldpath

// Digest is the SHA-256 of the canonical JSON of what a path selects in an object. Absent, the zero value,
// stands for nothing selected: object or field does not exist.
type Digest [32]byte

// Absent is the digest of what does not exist.
var Absent Digest

// Path is a compiled field path. It is immutable and safe for concurrent use.
type Path struct {
	expr string
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
func (e *SyntaxError) Error() string { panic("to be written") }

// Compile returns the compiled path, or a *SyntaxError.
func Compile(expr string) (*Path, error) { panic("to be written") }

// String returns the path as it was written.
func (p *Path) String() string { return p.expr }

// Digest returns the digest of what the path selects in object, the JSON of one object.
// It never panics and never fails: bytes that are not a JSON object digest as Absent.
func (p *Path) Digest(object []byte) Digest { panic("to be written") }
