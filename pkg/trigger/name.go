package trigger

import (
	"crypto/sha256"
	"encoding/base32"
	"strconv"

	"k8s.io/apimachinery/pkg/types"
)

// jobNameEncoding writes five bits a character, with characters that any Kubernetes name may hold.
var jobNameEncoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// maxNumber is the largest trigger number: what any JSON parser still reads exactly. Nothing triggers that often; a
// number above it was written by hand, and counting on from there would overflow.
const maxNumber = 1<<53 - 1

// farthest is the largest number that is taken over from a Job that is not the next one. Whoever may create Jobs in the
// namespace can make one that seems ours, with any number; so none of theirs is the last that can be counted to.
const farthest = 1 << 52

// jobNameSuffixLength is the number of characters that tell one trigger's Job from another's: 50 bits.
const jobNameSuffixLength = 10

// JobName is the name of the Job of a trigger: the ChangeTriggeredJob's name, a hyphen, and ten characters
// made from its UID and the number. The name is the lock that keeps a trigger number from running twice,
// so it must never be made in another way: two releases that disagree would run a number twice.
//
// A ChangeTriggeredJob's name has at most v1alpha.MaxNameLength characters, so that the Job's name fits a
// label value. The Job name of a longer one is longer, too, and of no use.
func JobName(name string, uid types.UID, number int64) string {
	sum := sha256.Sum256([]byte(string(uid) + "/" + strconv.FormatInt(number, 10)))
	return name + "-" + jobNameEncoding.EncodeToString(sum[:])[:jobNameSuffixLength]
}
