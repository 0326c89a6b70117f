// Package report makes what the plugin tells of ChangeTriggeredJobs out of their specs, their status and their Jobs. It
// is pure: it has no client and no clock.
//
// Its types are what -o json and -o yaml print, and docs/kubectl-plugin.md describes them. Scripts read them: fields may be
// added, those that are there keep their names and meanings. Lists are never null, and times that are not known are left out.
package report
