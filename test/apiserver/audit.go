package apiserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// ReadAuditLog returns the events of the file that AuditLog named, in the order in which they were written. No file yet
// is no events; a last line that is still being written is left out.
func ReadAuditLog(file string) ([]auditv1.Event, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var events []auditv1.Event
	for {
		line, rest, complete := bytes.Cut(content, []byte("\n"))
		if !complete {
			return events, nil
		}
		var event auditv1.Event
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", file, len(events)+1, err)
		}
		events = append(events, event)
		content = rest
	}
}
