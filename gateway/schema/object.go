package schema

// A Field is a member of an object of type T.
type Field[T any] interface {
	fieldName() string
	// fill reads the member into target and reports whether it is right. parent is the object.
	fill(c *checker, member Value, present bool, parent Value, target *T) bool
	describeField(d *Definitions) (description Description, required bool)
}

// FieldOf is a member of type F of an object of type T.
type FieldOf[T, F any] struct {
	name     string
	kind     Kind[F]
	at       func(*T) *F
	required bool
	fallback *F
	check    func(object *T, value F) error
}

// Required is a member that must be present. at says where in T it is kept.
func Required[T, F any](name string, kind Kind[F], at func(*T) *F) FieldOf[T, F] {
	return FieldOf[T, F]{name: name, kind: kind, at: at, required: true}
}

// Optional is a member that may be absent; T then keeps its zero value, or the Default.
func Optional[T, F any](name string, kind Kind[F], at func(*T) *F) FieldOf[T, F] {
	return FieldOf[T, F]{name: name, kind: kind, at: at}
}

// Default sets the value of an absent member.
func (f FieldOf[T, F]) Default(value F) FieldOf[T, F] { f.fallback = &value; return f }

// Check adds a rule for a member that is present and well formed. The object holds the members
// before it, those that were right. The error's text is shown to the client.
func (f FieldOf[T, F]) Check(rule func(object *T, value F) error) FieldOf[T, F] {
	f.check = rule
	return f
}

func (f FieldOf[T, F]) fieldName() string { return f.name }

func (f FieldOf[T, F]) fill(c *checker, member Value, present bool, parent Value, target *T) bool {
	c.enter(f.name)
	defer c.leave()
	if !present {
		if f.required {
			c.fail(parent, missing, missingText)
			return false
		}
		if f.fallback != nil {
			*f.at(target) = *f.fallback
		}
		return true
	}
	value, ok := f.kind.read(c, member)
	if !ok {
		return false
	}
	if f.check != nil {
		if err := f.check(target, value); err != nil {
			c.fail(member, "value_error", "Value error, "+err.Error(), Detail{"error", struct{}{}})
			return false
		}
	}
	*f.at(target) = value
	return true
}

// Object accepts objects with the given members; others are ignored. Of a member given twice the
// last counts.
func Object[T any](fields ...Field[T]) Kind[T] {
	k := objectKind[T]{fields: fields, index: make(map[string]int, len(fields))}
	for i, f := range fields {
		k.index[f.fieldName()] = i
	}
	return k
}

type objectKind[T any] struct {
	fields []Field[T]
	index  map[string]int
}

func (k objectKind[T]) read(c *checker, v Value) (T, bool) {
	var target T
	if v.kind() != object {
		c.fail(v, notAnObject, objectWanted)
		return target, false
	}
	present := make([]bool, len(k.fields))
	values := make([]Value, len(k.fields))
	for name, member := range v.members() {
		key, _ := name.text()
		if i, ok := k.index[key]; ok {
			present[i], values[i] = true, member
		}
	}
	ok := true
	for i, f := range k.fields {
		ok = f.fill(c, values[i], present[i], v, &target) && ok
	}
	return target, ok
}

// Map accepts objects with any members whose names and values are of the given kinds.
func Map[T any](key Kind[string], value Kind[T]) Kind[map[string]T] {
	return mapKind[T]{key, value}
}

type mapKind[T any] struct {
	key   Kind[string]
	value Kind[T]
}

func (k mapKind[T]) read(c *checker, v Value) (map[string]T, bool) {
	if v.kind() != object {
		c.fail(v, "dict_type", "Input should be a valid dictionary")
		return nil, false
	}
	// The members in the order of a Python dict: where a name first stands, with its last value.
	last := map[string]Value{}
	var names []Value
	for name, member := range v.members() {
		key := name.cleanText()
		if _, ok := last[key]; !ok {
			names = append(names, name)
		}
		last[key] = member
	}
	out := make(map[string]T, len(names))
	ok := true
	for _, name := range names {
		key := name.cleanText()
		c.enter(key)
		c.enter("[key]")
		readKey, keyOK := k.key.read(c, name)
		c.leave()
		value, valueOK := k.value.read(c, last[key])
		c.leave()
		if ok = ok && keyOK && valueOK; ok {
			out[readKey] = value
		}
	}
	return out, ok
}
