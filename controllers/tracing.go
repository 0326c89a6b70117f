package controllers

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
	"github.com/nusnewob/kube-changejob/pkg/trigger"
)

// Names of the spans from a change to its Job, in their order.
const (
	spanWatchEvent  = "watch event"
	spanDecide      = "decide"
	spanCreateJob   = "create Job"
	spanStatusWrite = "write status"
)

// Attributes of the spans. They name the ChangeTriggeredJob and its trigger, and nothing that is watched.
const (
	attributeNamespace = attribute.Key("changejob.namespace")
	attributeName      = attribute.Key("changejob.name")
	attributeTrigger   = attribute.Key("changejob.trigger")
	attributeReason    = attribute.Key("changejob.reason")
	attributePending   = attribute.Key("changejob.pending")
)

// beginTrace begins a trace with a change that concerns the named ChangeTriggeredJob. It is nil where nothing is traced.
func beginTrace(tracer trace.Tracer, name types.NamespacedName) *trace.SpanContext {
	if tracer == nil {
		return nil
	}
	_, span := tracer.Start(context.Background(), spanWatchEvent, trace.WithNewRoot(),
		trace.WithAttributes(attributeNamespace.String(name.Namespace), attributeName.String(name.Name)))
	span.End()
	begun := span.SpanContext()
	return &begun
}

// traced returns a context in which spans belong to the trace that began with the change; ctx itself where none did.
func (r *Reconciler) traced(ctx context.Context, seen firstSeen) context.Context {
	if r.Tracer == nil || seen.span == nil {
		return ctx
	}
	ctx = trace.ContextWithSpanContext(ctx, *seen.span)
	return log.IntoContext(ctx, log.FromContext(ctx).WithValues("trace", seen.span.TraceID().String()))
}

// span begins a span of what is done about a change. Outside of a trace it does nothing, and what it returns does nothing.
func (r *Reconciler) span(ctx context.Context, ctj *v1alpha.ChangeTriggeredJob, name string) (context.Context, trace.Span) {
	if r.Tracer == nil || !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, trace.SpanFromContext(ctx)
	}
	return r.Tracer.Start(ctx, name,
		trace.WithAttributes(attributeNamespace.String(ctj.Namespace), attributeName.String(ctj.Name)))
}

// describeDecision says in the span what was decided.
func describeDecision(span trace.Span, ctj *v1alpha.ChangeTriggeredJob, decision trigger.Decision) {
	if !span.IsRecording() {
		return
	}
	describeTrigger(span, decision.Create)
	if reason := pendingReason(statusOf(ctj, decision)); reason != "" {
		span.SetAttributes(attributePending.String(reason))
	}
}

// describeTrigger says in the span which trigger it belongs to; nil is none.
func describeTrigger(span trace.Span, creation *trigger.Creation) {
	if creation != nil && span.IsRecording() {
		span.SetAttributes(attributeTrigger.Int64(creation.Number), attributeReason.String(string(creation.Reason)))
	}
}

// end ends a span. Of an error it tells the kind alone: what the API server says of one can quote a Job template.
func end(span trace.Span, err error) {
	if err != nil && span.IsRecording() {
		reason := string(apierrors.ReasonForError(err))
		if reason == "" {
			reason = "no answer"
		}
		span.SetStatus(codes.Error, reason)
	}
	span.End()
}
