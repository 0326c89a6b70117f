package controllers

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

// recorded returns a tracer, and where its spans end up.
func recorded(t *testing.T) (trace.Tracer, *tracetest.SpanRecorder) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return provider.Tracer("test"), recorder
}

func attributes(span sdktrace.ReadOnlySpan) map[attribute.Key]string {
	values := map[attribute.Key]string{}
	for _, a := range span.Attributes() {
		values[a.Key] = a.Value.String()
	}
	return values
}

func TestAChangeIsTracedToItsJob(t *testing.T) {
	t.Parallel()
	tracer, recorder := recorded(t)
	w := newWorld(t)
	w.operate(withTracer(tracer))
	w.configMap("config", "the first content")
	w.trigger("ctj", []string{"config"})
	w.watching("ctj")
	w.change("config", "the second content")
	w.triggered("ctj", 1)

	// The trace that leads to a write of status with the number of the trigger.
	var spans []sdktrace.ReadOnlySpan
	require.Eventually(t, func() bool {
		for _, written := range recorder.Ended() {
			if written.Name() != spanStatusWrite || attributes(written)[attributeTrigger] != "1" {
				continue
			}
			spans = nil
			for _, span := range recorder.Ended() {
				if span.SpanContext().TraceID() == written.SpanContext().TraceID() {
					spans = append(spans, span)
				}
			}
			return true
		}
		return false
	}, patience, 10*time.Millisecond)

	names := map[string]sdktrace.ReadOnlySpan{}
	for _, span := range spans {
		if _, seen := names[span.Name()]; !seen { // what follows is about the Job
			names[span.Name()] = span
		}
		assert.Equal(t, w.namespace, attributes(span)[attributeNamespace])
		assert.Equal(t, "ctj", attributes(span)[attributeName])
		assert.NotContains(t, fmt.Sprint(span), "content")
	}
	for _, name := range []string{spanWatchEvent, spanDecide, spanCreateJob, spanStatusWrite} {
		require.Contains(t, names, name)
	}
	root := names[spanWatchEvent]
	assert.False(t, root.Parent().IsValid())
	for _, name := range []string{spanDecide, spanCreateJob, spanStatusWrite} {
		span := names[name]
		assert.Equal(t, root.SpanContext().SpanID(), span.Parent().SpanID(), name)
		assert.Equal(t, "1", attributes(span)[attributeTrigger], name)
		assert.Equal(t, "Change", attributes(span)[attributeReason], name)
		assert.Equal(t, codes.Unset, span.Status().Code, name)
	}
}

func TestATraceGoesOnUntilThePendingChangeIsAnswered(t *testing.T) {
	tracer, recorder := recorded(t)
	w, _ := started(t, clocktesting.NewFakePassiveClock(time.Now()))
	w.Tracer = tracer
	w.Enqueue(somebody)
	w.Enqueue(somebody)
	assert.Len(t, recorder.Ended(), 1, "what is unanswered has its trace")
	remembered := &record{}
	remembered.saw(w.take(somebody))
	r := &Reconciler{Tracer: tracer}
	ctj := &v1alpha.ChangeTriggeredJob{}
	for range 2 { // two reconciles, such as before and after a cooldown
		_, span := r.span(r.traced(t.Context(), remembered.seen), ctj, spanDecide)
		end(span, nil)
	}
	for _, span := range recorder.Ended() {
		assert.Equal(t, *remembered.seen.span, recorder.Ended()[0].SpanContext())
		assert.Equal(t, remembered.seen.span.TraceID(), span.SpanContext().TraceID())
	}
	assert.Len(t, recorder.Ended(), 3)
}

func TestASpanTellsTheKindOfAnErrorAlone(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{apierrors.NewForbidden(schema.GroupResource{Resource: "jobs"}, "ctj-1", errors.New("a quota of the team")), "Forbidden"},
		{errors.New("dial 10.0.0.1"), "no answer"},
	} {
		tracer, recorder := recorded(t)
		_, span := tracer.Start(t.Context(), spanCreateJob)
		end(span, c.err)
		require.Len(t, recorder.Ended(), 1)
		assert.Equal(t, sdktrace.Status{Code: codes.Error, Description: c.want}, recorder.Ended()[0].Status())
		assert.Empty(t, recorder.Ended()[0].Events())
	}
}

func TestTracingThatIsOffCostsNothing(t *testing.T) {
	r := &Reconciler{}
	ctx, ctj := t.Context(), &v1alpha.ChangeTriggeredJob{}
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		traced, span := r.span(r.traced(ctx, firstSeen{}), ctj, spanDecide)
		if traced != ctx || span.IsRecording() {
			t.Error("something is traced")
		}
		end(span, nil)
	}))
	assert.Nil(t, beginTrace(nil, somebody))
}
