package apiserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// ReadAuditLog returns the events of the file that AuditLog named, in the order in which they were written. No file yet
// is no events; a last line that is still being written is left out.
func ReadAuditLog(file string) ([]auditv1.Event, error) {
	return (&AuditReader{File: file}).Next()
}

// AuditReader reads an audit log that grows.
type AuditReader struct {
	// File is the file that AuditLog named.
	File string

	offset int64
	lines  int
}

// Next returns the events that were written since it was called last.
func (r *AuditReader) Next() ([]auditv1.Event, error) {
	file, err := os.Open(r.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Seek(r.offset, io.SeekStart); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	var events []auditv1.Event
	for {
		line, rest, complete := bytes.Cut(content, []byte("\n"))
		if !complete {
			return events, nil
		}
		r.offset, r.lines = r.offset+int64(len(line))+1, r.lines+1
		var event auditv1.Event
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", r.File, r.lines, err)
		}
		events = append(events, event)
		content = rest
	}
}
