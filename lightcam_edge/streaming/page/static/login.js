const form = document.getElementById("form");
const token = document.getElementById("token");
const problem = document.getElementById("problem");

// A link from another site brings a visitor here without the cookie that they have.
if ((await (await fetch("/api/login")).json()).known) location.replace("/");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  const answer = await fetch("/api/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token: token.value }),
  }).catch(() => null);
  if (answer?.ok) {
    location.replace("/");
    return;
  }
  const told = (await answer?.json().catch(() => null))?.error ?? "the server does not answer";
  problem.textContent = `${told[0].toUpperCase()}${told.slice(1)}.`;
  token.select();
});

token.focus();
