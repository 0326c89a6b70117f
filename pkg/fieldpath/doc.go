// Package fieldpath compiles the field paths of a ChangeTriggeredJob and reduces what they select in an
// object to a digest. It knows JSON and nothing of Kubernetes' clients.
package fieldpath
