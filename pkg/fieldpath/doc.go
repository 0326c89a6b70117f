// Package fieldpath compiles the field paths of a ChangeTriggeredJob and reduces what they select in an
// object to a digest. It knows JSON and nothing of Kubernetes' clients.
//
// # Paths
//
//   - the whole object; so do $ and .
//     spec.replicas                      keys, separated by dots; .spec, $.spec and {.spec} are spec
//     data.important-key                 hyphens, slashes and the like need no quotes
//     data['app.properties']             a key taken literally, in either kind of quotes
//     data.app\.properties               the same: a backslash takes the punctuation after it literally
//     containers[0].image                one element of a list; containers.0.image too
//     containers[*].image                of every element, in order; containers.#.image too
//     containers[*]                      the elements
//     containers.#                       their number
//     containers[?(@.name=="web")].image of every element that matches; containers.#(name=="web")#.image too
//     containers.#(name=="web").image    of the first that matches
//
// A filter compares one field of each element (or the element itself: [?(@=="x")]) by ==, !=, <, <=, > or
// >= with a text in quotes, a number, true or false; or by % and !% with a pattern in quotes, in which *
// (twice at most) and ? stand for any characters and any one character; or asks whether the field exists:
// [?(@.name)].
// Elements without the field match nothing. gjson compares: numbers as float64, and a number with a text as
// if the text were a number (0, where it is none).
//
// # What is selected
//
// [*] and filters keep the places of what they find: a value that moves from one element to another is a
// change, although the list of values reads the same. The place after [*] is the element's index (in an
// object, whose values [*] selects, its key); after a filter it is the index among the matches, so that
// elements which do not match may come and go. An element in which the rest of the path finds nothing
// leaves its place empty.
//
// A path that finds no value at all is Absent: an element that matches no filter is as absent as a missing
// key, and [*] of an empty list finds as little as that of a missing one. What exists is never Absent:
// null, "", {} and [] are values.
//
// # What is nobody's change
//
// Some fields change, or may change, without anyone having changed the object: metadata.resourceVersion,
// generation, uid, creationTimestamp, managedFields and selfLink, the annotation
// kubectl.kubernetes.io/last-applied-configuration, and lastHeartbeatTime and lastProbeTime of
// status.conditions. They are left out of whatever contains them. A path that names one of them, or
// something inside it, selects it all the same. metadata.annotations with nothing else in it is as if it
// did not exist: else the first kubectl apply of an object made otherwise would be a change. The object's own
// apiVersion and kind never exist, even to a path that names them: a watch tells of them and most lists do
// not, and they cannot change. And a creationTimestamp of null does not exist in any object's member metadata,
// a template's included: some versions of the API server write it, others do not.
//
// # Canonical form
//
// The digest is the SHA-256 of canonical JSON: no insignificant whitespace, keys sorted by their bytes,
// strings with no escapes but those that JSON demands, number literals as they were written. A key that
// occurs twice, which no API server sends, is written twice, and a path selects the first. The finds of
// [*] and filters are written as (place:value,place:value,), which no JSON value looks like.
package fieldpath
