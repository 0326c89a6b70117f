package watch

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// discreet returns an error that may be logged and told. What the API server says of a failure can quote what
// an object contains; of its words only those about permissions are passed on, and code and reason of the
// others. What the transport says comes without the URL, which differs from one try to the next.
func discreet(err error) error {
	if failed := (*url.Error)(nil); errors.As(err, &failed) {
		return failed.Err
	}
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return &apierrors.StatusError{ErrStatus: discreetStatus(status.Status())}
	}
	return err
}

// discreetStatus keeps all that is not free text, so that the kind of error stays what it was.
func discreetStatus(s metav1.Status) metav1.Status {
	told := metav1.Status{Status: s.Status, Code: s.Code, Reason: s.Reason}
	if s.Code == http.StatusUnauthorized || s.Code == http.StatusForbidden {
		told.Message = s.Message
	} else {
		told.Message = fmt.Sprintf("the API server answered %d %s", s.Code, s.Reason)
	}
	if s.Details != nil {
		told.Details = &metav1.StatusDetails{RetryAfterSeconds: s.Details.RetryAfterSeconds}
		for _, cause := range s.Details.Causes {
			told.Details.Causes = append(told.Details.Causes, metav1.StatusCause{Type: cause.Type})
		}
	}
	return told
}

// retryAfter is how long the API server wants to be left alone after this error: no longer than our own back-off
// lasts at most, since whoever stands between could ask for days, and blind us for so long.
func retryAfter(err error) time.Duration {
	seconds, _ := apierrors.SuggestsClientDelay(err)
	return min(time.Duration(seconds)*time.Second, maxBackoff)
}

// isForbidden says whether the API server does not let us, whoever it takes us for.
func isForbidden(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) }

// lasting says whether an error comes of what is to be read rather than of a server that is down or busy. A proxy in
// front of one that is down answers with other codes than 500, which are read as internal errors, too.
func lasting(err error) bool {
	if malformed := (*malformedError)(nil); errors.As(err, &malformed) {
		return true
	}
	status := apierrors.APIStatus(nil)
	return apierrors.IsInternalError(err) && errors.As(err, &status) && status.Status().Code == http.StatusInternalServerError
}
