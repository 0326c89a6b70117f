// Package validate checks what the schema and the CEL rules of a ChangeTriggeredJob cannot check, and
// checks again what they can, for objects that were stored before the schema had its bounds. It makes no
// request; the webhook and the reconciler share it, so that both say the same in the same words.
package validate
