// With #selftest the page writes what it computes into itself, for a test to compare.

const complaints = [];
window.addEventListener('error', (event) => complaints.push(event.message));
window.addEventListener('unhandledrejection', (event) => complaints.push(String(event.reason)));
document.addEventListener('securitypolicyviolation', (event) =>
  complaints.push(`${event.violatedDirective} blocked ${event.blockedURI}`));

function selftest(run) {
  if (location.hash !== '#selftest') return;
  let found = {};
  try {
    found = run();
  } catch (error) {
    complaints.push(String(error.stack ?? error));
  }
  const text = JSON.stringify({ ...found, complaints });
  document.body.append(element('pre', { id: 'selftest', hidden: true }, text));
}
