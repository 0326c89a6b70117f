package when

import (
	"runtime"
	"sync"
	"weak"
)

// cache holds the expressions that somebody holds.
type cache struct {
	mu      sync.Mutex
	entries map[string]weak.Pointer[Expression]
}

var compiled = &cache{entries: map[string]weak.Pointer[Expression]{}}

// get returns the expression of a text, and has it compiled where nobody holds it. What does not compile is not remembered. Meanwhile others are
// compiled, too: two who ask for the same at a time may both do it, and get the same.
func (c *cache) get(text string, compile func(string) (*Expression, error)) (*Expression, error) {
	if known := c.known(text); known != nil {
		return known, nil
	}
	made, err := compile(text)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.entries[text].Value(); known != nil {
		return known, nil
	}
	c.entries[text] = weak.Make(made)
	runtime.AddCleanup(made, c.drop, text)
	return made, nil
}

func (c *cache) known(text string) *Expression {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[text].Value()
}

// drop forgets an expression that nobody holds any more, unless it has been compiled anew since.
func (c *cache) drop(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if entry, ok := c.entries[text]; ok && entry.Value() == nil {
		delete(c.entries, text)
	}
}
