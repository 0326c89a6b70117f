package fieldpath

// standing says whether a value is part of what contains it, and whether it is there at all.
type standing uint8

const (
	// counts: the value is part of what contains it.
	counts standing = iota
	// nobodys: a change of the value is nobody's change. It is left out of what contains it, but selected
	// by a path that names it.
	nobodys
	// void: the value is as if it did not exist, even to a path that names it.
	void
)

// judge sets the standing of the values that the server, kubectl or a heartbeat writes of their own accord,
// at their places in an object. The same names elsewhere, such as a key "generation" in a ConfigMap's data,
// count.
func (d *document) judge() {
	d.members(0, func(key string, n int) {
		switch key {
		case "apiVersion", "kind":
			// A watch's events have them, the items of most lists do not; and they cannot change.
			d.nodes[n].standing = void
		case "metadata":
			d.members(n, d.judgeMetadata)
		case "status":
			d.members(n, d.judgeStatus)
		}
	})
}

func (d *document) judgeMetadata(key string, n int) {
	switch key {
	case "resourceVersion", "generation", "uid", "creationTimestamp", "managedFields", "selfLink":
		if d.nodes[n].standing == counts {
			d.nodes[n].standing = nobodys
		}
	case "annotations":
		if !d.isObject(n) {
			return
		}
		left := false
		d.members(n, func(key string, n int) {
			if key == "kubectl.kubernetes.io/last-applied-configuration" {
				d.nodes[n].standing = nobodys
			} else {
				left = true
			}
		})
		if !left {
			d.nodes[n].standing = void
		}
	}
}

// judgeInner sets the standing of what is in an object's metadata, its own or that of a template inside it: a
// creation time of null is none. API servers up to 1.33 write it into every template, those from 1.34 on leave
// it out.
func (d *document) judgeInner(key string, n int) {
	if key == "creationTimestamp" && d.raw(n) == "null" {
		d.nodes[n].standing = void
	}
}

func (d *document) judgeStatus(key string, n int) {
	if key != "conditions" || !d.isArray(n) {
		return
	}
	for c := n + 1; c < d.behind(n); c = d.behind(c) {
		d.members(c, func(key string, n int) {
			if key == "lastHeartbeatTime" || key == "lastProbeTime" {
				d.nodes[n].standing = nobodys
			}
		})
	}
}

// members calls f for each member of node n, if that is an object.
func (d *document) members(n int, f func(key string, n int)) {
	if !d.isObject(n) {
		return
	}
	for c := n + 1; c < d.behind(n); c = d.behind(c) {
		f(d.nodes[c].key, c)
	}
}
