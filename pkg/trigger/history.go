package trigger

// outdated returns the ended Jobs beyond the history: all but those with the highest numbers. A running Job
// keeps its place and is never deleted; nor is one that status does not know of yet, since it is the only
// witness of its trigger. One that is going already takes no place.
func (s *state) outdated() []Job {
	if s.spec.Undecoded() != nil {
		return nil // how many are to be kept is not known
	}
	room := s.spec.EffectiveHistory() - int(s.count-s.persisted) // the Job being created takes one
	var outdated []Job
	for _, job := range s.jobs {
		switch {
		case job.Deleting:
		case room > 0:
			room--
		case !job.Running() && job.Number <= s.persisted:
			outdated = append(outdated, job)
		}
	}
	return outdated
}
