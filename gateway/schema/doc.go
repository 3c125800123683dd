// Package schema checks JSON bodies the way the original gateway did and turns them into typed
// Go values.
//
// The original gateway is written with FastAPI 0.115 and pydantic 2.10, and GitLab and the
// editors' language servers read its refusals. What is accepted, which errors are reported, in
// which order and with which words is therefore part of the wire contract:
//
//   - the body is read as Python's json.loads reads bytes: UTF-8, UTF-16 or UTF-32, lone
//     surrogates, NaN and Infinity, a duplicate key's last value, error offsets in characters;
//   - values are coerced as pydantic's lax mode coerces them ("7" for an integer, "yes" for a
//     boolean), and all errors of a body are reported together, in field order.
//
// A schema is a tree of kinds, made once at start-up and shared by all requests:
//
//	var file = schema.Object(
//		schema.Required("name", schema.String().Trim().Max(255), func(f *File) *string { return &f.Name }),
//		schema.Optional("size", schema.Int().AtLeast(0), func(f *File) *int64 { return &f.Size }),
//	)
//	f, err := schema.Parse(file, contentType, body)
//
// The body's syntax is checked once from end to end without recursion or allocation; values are
// views into the text and are read only where the schema asks for them. So a hostile body costs
// no more memory than its own size, and a member that nobody asked for costs nothing.
//
// The testdata folder holds the answers of the real FastAPI and pydantic to some thousand
// bodies, and the script that asked them.
package schema
