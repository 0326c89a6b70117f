// Package check judges ChangeTriggeredJobs before they are applied: by our own rules, by a dry run of the API server and its
// webhooks, and by a look at what their paths lead to. It does all of it with the rights of whoever runs it, and changes
// nothing.
package check
