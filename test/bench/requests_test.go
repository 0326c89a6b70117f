package bench

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/nusnewob/kube-changejob/test/apiserver"
)

// requestLog is what users have asked of an API server, by its audit log.
type requestLog struct {
	reader *apiserver.AuditReader
	events []auditv1.Event
}

func newRequestLog(file string) *requestLog {
	return &requestLog{reader: &apiserver.AuditReader{File: file}}
}

// asked counts the requests of a user so far: leases and watches are what keeps a process up to date where nothing happens, others
// are all else. A watch counts when it begins.
func (l *requestLog) asked(b *testing.B, user string) (others, leasesAndWatches int) {
	b.Helper()
	l.read(b)
	for i := range l.events {
		event := &l.events[i]
		watch := event.Verb == "watch"
		switch {
		case event.User.Username != user || watch != (event.Stage == auditv1.StageResponseStarted):
		case watch || strings.HasPrefix(event.RequestURI, "/apis/coordination.k8s.io/"):
			leasesAndWatches++
		default:
			others++
		}
	}
	return others, leasesAndWatches
}

// begun counts the watches of a user that have begun so far, those among them that go on where another one ended.
func (l *requestLog) begun(b *testing.B, user string) (count int) {
	b.Helper()
	l.read(b)
	for i := range l.events {
		if event := &l.events[i]; event.User.Username == user && event.Verb == "watch" && event.Stage == auditv1.StageResponseStarted {
			count++
		}
	}
	return count
}

// open counts the watches of a user that have begun and not ended.
func (l *requestLog) open(b *testing.B, user string) int {
	b.Helper()
	l.read(b)
	open := map[string]bool{}
	for i := range l.events {
		event := &l.events[i]
		if event.User.Username != user || event.Verb != "watch" {
			continue
		}
		if event.Stage == auditv1.StageResponseStarted {
			open[string(event.AuditID)] = true
		} else {
			delete(open, string(event.AuditID))
		}
	}
	return len(open)
}

// urls are what a user has asked for, for the eye.
func (l *requestLog) urls(user string, from int) (lines []string) {
	for _, event := range l.events[from:] {
		if event.User.Username == user {
			lines = append(lines, event.Verb+" "+event.RequestURI)
		}
	}
	return lines
}

func (l *requestLog) read(b *testing.B) {
	b.Helper()
	events, err := l.reader.Next()
	require.NoError(b, err)
	l.events = append(l.events, events...)
}
