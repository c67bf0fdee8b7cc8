-- Consents, devices, marketing interaction and in-store activity of a customer.
SELECT;
