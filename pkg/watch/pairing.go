package watch

// pairing is a path with a `when` that some owner holds together.
type pairing struct {
	// references counts them.
	references int
	// updated is when the path last came to select another thing in an object of which the `when` was true before, and was then; for a
	// start, when the pairing began, since what was before is not known.
	updated moment
}

// takeUp is called when somebody takes up the condition with a path.
func (c *condition) takeUp(p *watchedPath, now moment) {
	if c.pairs == nil {
		c.pairs = map[*watchedPath]*pairing{}
	}
	if c.pairs[p] == nil {
		c.pairs[p] = &pairing{updated: now}
	}
	c.pairs[p].references++
}

// giveUp is called when somebody gives up both.
func (c *condition) giveUp(p *watchedPath) {
	if c.pairs[p].references--; c.pairs[p].references == 0 {
		delete(c.pairs, p)
	}
}

// update notes which of the paths have come to select another thing, since a moment, in an object of which the condition was true and is.
func (c *condition) update(since moment) {
	for p, pair := range c.pairs {
		if p.updated > since {
			pair.updated = p.updated
		}
	}
}

// lastUpdated is when a path last came to select another thing in one of the objects of which the condition is true, or of all where
// there is none. One that comes or goes by the condition is not updated, whatever else changes in it.
func (p *watchedPath) lastUpdated(condition *watchedPath) moment {
	if condition == nil {
		return p.updated
	}
	return min(p.updated, condition.when.pairs[p].updated)
}
